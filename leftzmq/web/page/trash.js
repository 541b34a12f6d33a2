// What other devices' changes took away here, and how it comes back.

import { change, say } from "./ask.js";
import { get, post } from "./api.js";
import { clear, h, list, show, text } from "./dom.js";
import { bytes, counted, moment, shown, takenAt } from "./format.js";
import { chooser } from "./chooser.js";

const SHOWN = 300;

export function trash() {
  const rows = h("ul", { class: "rows", id: "trash" });
  const said = h("p", { class: "empty", role: "status" });
  const search = h("input", { type: "search", id: "trash-search", autocomplete: "off", spellcheck: "false" });
  const whole = h("button", { type: "button", hidden: true });
  const more = h("button", { type: "button", hidden: true }, "Load more");
  const folder = chooser(() => load(true));
  const node = h(
    "section",
    { class: "card", "aria-labelledby": "h-trash" },
    h("h2", { id: "h-trash", tabindex: -1 }, "Trash"),
    h(
      "div",
      { class: "form" },
      folder.node,
      h("label", { class: "grow" }, "Search a path", search),
      whole,
    ),
    h("p", { class: "body small soft" }, "What other devices changed or deleted here. What was deleted on this device is in the trash of the others."),
    said,
    rows,
    h("p", { class: "body" }, more),
  );
  let found = [];
  let after = "";
  let status = null;

  async function load(anew) {
    if (folder.value() === "") return;
    if (anew) [found, after] = [[], ""];
    try {
      const page = await get("/trash", { folder: folder.value(), after });
      found.push(...page.versions);
      after = page.after;
      draw();
    } catch (error) {
      clear(rows);
      text(said, error.message);
      show(said, true);
    }
  }

  function draw() {
    const wanted = search.value.trim().toLowerCase();
    const fits = found.filter((each) => each.path.toLowerCase().includes(wanted));
    const dir = search.value.trim().replace(/\/+$/, "");
    const below = dir === "" ? [] : found.filter((each) => each.path.startsWith(`${dir}/`));
    show(whole, below.length > 0);
    text(whole, `Restore all of ${shown(dir)}/`);
    list(rows, fits.slice(0, SHOWN), (each) => `${folder.value()} ${each.cursor}`, (each) => version(each, folder.value(), pick, reload));
    const hidden = fits.length - SHOWN;
    if (fits.length === 0) text(said, found.length ? "Nothing in the trash has that path." : "The trash is empty.");
    else text(said, hidden > 0 ? `${counted(hidden, "version")} more: search` : "");
    show(said, said.textContent !== "");
    show(more, after !== "");
  }

  function pick(dir) {
    search.value = `${dir}/`;
    draw();
    whole.focus();
  }

  const reload = () => load(true);
  search.addEventListener("input", draw);
  more.addEventListener("click", () => load(false));
  whole.addEventListener("click", async () => {
    const dir = search.value.trim().replace(/\/+$/, "");
    const isDone = await restore(folder.value(), dir, `everything below ${shown(dir)}`, {});
    if (isDone) reload();
  });
  return {
    node,
    title: "Trash",
    open: () => load(true),
    update(model) {
      status = model.status;
      if (status !== null && folder.update(status.folders.map((each) => each.id)) && !node.hidden) load(true);
    },
  };
}

async function restore(folder, path, what, times) {
  const answer = await change(
    `Restore ${what}?`,
    "It comes back where it was, on every device. Nothing is overwritten.",
    "Restore",
    () => post("/trash/restore", { folder, path, ...times }),
    (done) => {
      const back = done.restored === 1 ? `${shown(done.restored_list[0])} is back` : `${counted(done.restored, "path")} are back`;
      return done.more ? `${back}; there is more: restore it once more` : back;
    },
  );
  for (const one of answer?.stayed_list.slice(0, 3) ?? []) say(`${shown(one.path)}: ${shown(one.why)}`, true);
  return answer !== null;
}

function version(found, folder, pick, reload) {
  const parts = found.path.split("/");
  const name = parts.pop();
  const way = parts.map((part, at) => {
    const dir = parts.slice(0, at + 1).join("/");
    return [h("button", { type: "button", class: "link", "aria-label": `only ${shown(dir)}`, on: { click: () => pick(dir) } }, shown(part)), " / "];
  });
  const button = h("button", { type: "button", class: "quiet", "aria-label": `Restore ${shown(found.path)}` }, "Restore");
  button.addEventListener("click", async () => {
    const times = { since: found.batch, before: `${found.batch}-` };
    if (await restore(folder, found.path, shown(found.path), times)) reload();
  });
  const size = found.kind === "symlink" ? "link" : bytes(found.size);
  const node = h(
    "li",
    { class: "row" },
    h("p", { class: "grow name" }, way.flat(), shown(name)),
    h("span", { class: "small soft number" }, `${size} · ${moment(takenAt(found.batch))}`),
    button,
  );
  return { node, update() {} };
}
