// Files that two devices changed without seeing each other's change: both versions side by side.

import { change, say } from "./ask.js";
import { get, post } from "./api.js";
import { diff } from "./diff.js";
import { clear, h, list, show, text } from "./dom.js";
import { bytes, moment, shown } from "./format.js";

const THEN = {
  mine: "The version of this device has the name from then on; the other one goes to the trash, on every device.",
  theirs: "The version of the other device has the name from then on; this device's goes to the trash, on every device.",
  file: "The version that has the name keeps it; the copy goes to the trash, on every device.",
  copy: "The copy gets the name; what has it now goes to the trash, on every device.",
  both: "The copy becomes a file of its own, with a name that says whose it is.",
};
const LABELS = { mine: "Keep mine", theirs: "Keep theirs", file: "Keep the file", copy: "Keep the copy", both: "Keep both" };

export function conflicts() {
  const rows = h("ul", { class: "rows", id: "conflicts" });
  const empty = h("p", { class: "empty", hidden: true }, "No conflict: nothing was changed on two devices at once.");
  const node = h(
    "section",
    { class: "card", "aria-labelledby": "h-conflicts" },
    h("h2", { id: "h-conflicts", tabindex: -1 }, "Conflicts"),
    empty,
    rows,
  );
  let counts = null;
  let device = "";
  let found = [];
  const load = async (status) => {
    const all = [];
    for (const folder of status.folders.filter((each) => each.conflicts)) {
      const page = await get("/conflicts", { folder: folder.id });
      all.push(...page.copies.map((copy) => ({ ...copy, folder: folder.id })));
    }
    found = all;
    draw();
  };
  const draw = () => {
    show(empty, found.length === 0);
    list(rows, found, (each) => `${each.folder}/${each.copy}`, (each) => conflict(each, () => device));
  };
  return {
    node,
    title: "Conflicts",
    count: (status) => status.folders.reduce((sum, folder) => sum + folder.conflicts, 0),
    update(model) {
      if (model.status === null) return;
      device = model.status.device;
      const seen = model.status.folders.map((each) => [each.id, each.conflicts, each.conflict_list.join("\n")]).join("\n");
      if (seen === counts) return;
      counts = seen;
      load(model.status).catch((error) => {
        counts = null;
        say(error.message, true);
      });
    },
  };
}

function conflict(copy, ourName) {
  const place = h("div", { class: "place" });
  const open = h("button", { type: "button", "aria-expanded": "false" }, "Compare");
  open.addEventListener("click", async () => {
    const isOpen = open.getAttribute("aria-expanded") === "true";
    open.setAttribute("aria-expanded", String(!isOpen));
    text(open, isOpen ? "Compare" : "Close");
    clear(place);
    if (isOpen) return;
    try {
      const answer = await get("/conflicts/show", { folder: copy.folder, path: copy.copy });
      place.append(...versions(copy, answer.versions, ourName()));
    } catch (error) {
      place.append(h("p", { class: "bad" }, error.message));
    }
  });
  const node = h(
    "li",
    {},
    h(
      "div",
      { class: "row" },
      h(
        "div",
        { class: "grow" },
        h("h3", { class: "name" }, shown(copy.path)),
        h("p", { class: "small soft name" }, `${shown(copy.folder)} · the copy is ${shown(copy.device)}'s, ${bytes(copy.size)}`),
      ),
      open,
    ),
    place,
  );
  return { node, update() {} };
}

function versions(copy, found, ourName) {
  const file = found.find((each) => !each.copy) ?? null;
  const other = found.find((each) => each.copy && each.path === copy.copy) ?? found.find((each) => each.copy);
  if (other === undefined) return [h("p", {}, "It is settled already.")];
  const isOurs = [file, other].some((each) => each !== null && each.device === ourName);
  const choices = isOurs ? ["mine", "theirs", "both"] : ["file", "copy", "both"];
  const buttons = choices.map((choice) =>
    h("button", { type: "button", on: { click: () => resolve(copy, choice) } }, LABELS[choice]),
  );
  const parts = [
    h("div", { class: "sides" }, side(file, "has the name", ourName), side(other, "the copy", ourName)),
  ];
  if (file !== null && file.text !== null && other.text !== null) {
    parts.push(h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Differences" }, diff(file.text, other.text)));
  } else {
    parts.push(h("p", { class: "small soft" }, "There is no comparison: not both are short texts."));
  }
  parts.push(h("p", { class: "buttons" }, buttons));
  return parts;
}

function side(version, role, ourName) {
  if (version === null) return h("div", { class: "side soft" }, "There is no file with the name.");
  const who = version.device === ourName ? "this device" : shown(version.device);
  const when = version.mtime_ns ? moment(version.mtime_ns / 1e9) : "no time";
  return h(
    "div",
    { class: "side" },
    h("p", {}, h("b", {}, who), h("span", { class: "soft" }, ` · ${role}`)),
    h("p", { class: "small soft" }, `${when} · ${version.kind === "symlink" ? "link" : bytes(version.size)}`),
    h("p", { class: "small mono name" }, shown(version.path)),
  );
}

async function resolve(copy, choice) {
  await change(
    `${LABELS[choice]}: ${shown(copy.path)}?`,
    THEN[choice],
    LABELS[choice],
    () => post("/conflicts/resolve", { folder: copy.folder, path: copy.copy, choice }),
    (answer) => {
      const path = shown(answer.path);
      if (answer.kept === "file") return `${path} stays as it is; the copy is in the trash`;
      if (answer.kept === "copy") return `${path} is now what the copy was; what it was is in the trash`;
      return `the copy is now ${path}`;
    },
  );
}
