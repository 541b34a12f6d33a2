// What keeps paths from being in sync, each with what can be done about it.

import { say } from "./ask.js";
import { get } from "./api.js";
import { clear, h, list, show, text } from "./dom.js";
import { counted, shown } from "./format.js";

export function problems() {
  const rows = h("ul", { class: "rows", id: "problems" });
  const empty = h("p", { class: "empty" }, "Nothing is in the way.");
  const more = h("button", { type: "button", hidden: true });
  const node = h(
    "div",
    { class: "column" },
    h(
      "section",
      { class: "card", "aria-labelledby": "h-problems" },
      h("h2", { id: "h-problems", tabindex: -1 }, "Problems"),
      empty,
      rows,
      h("p", { class: "body" }, more),
    ),
    checkUp(),
  );
  let status = null;
  let further = [];
  more.addEventListener("click", async () => {
    try {
      further = [];
      for (const folder of status.folders.filter((each) => each.problems > each.problem_list.length)) {
        let after = "";
        do {
          const page = await get("/problems", { folder: folder.id, after });
          further.push(...page.problems.map((each) => ({ ...each, folder: folder.id })));
          after = page.after;
        } while (after !== "" && further.length < 5000);
      }
      draw();
    } catch (error) {
      say(error.message, true);
    }
  });
  const draw = () => {
    const seen = new Map();
    for (const folder of status.folders) {
      if (folder.state === "stopped") seen.set(folder.id, { folder: folder.id, path: "", problem: "stopped", text: folder.why });
      for (const each of folder.problem_list) seen.set(`${folder.id}/${each.text}`, { ...each, folder: folder.id });
    }
    for (const each of further) seen.set(`${each.folder}/${each.text}`, each);
    const found = [...seen.entries()].map(([key, each]) => ({ ...each, key }));
    list(rows, found, (each) => each.key, problem);
    show(empty, found.length === 0);
    const hidden = total(status) - found.length;
    show(more, hidden > 0);
    text(more, `Show ${counted(hidden, "more problem")}`);
  };
  return {
    node,
    title: "Problems",
    count: total,
    update(model) {
      if (model.status === null) return;
      status = model.status;
      if (!total(status)) further = [];
      draw();
    },
  };
}

/** What the agent finds where it looks at this device and at the way to the others. */
function checkUp() {
  const rows = h("ul", { class: "rows" });
  const said = h("p", { class: "body small soft", role: "status" });
  const button = h("button", { type: "button" }, "Check now");
  button.addEventListener("click", async () => {
    button.disabled = true;
    text(said, "Looking at devices, disks and ports.");
    try {
      const { findings } = await get("/doctor");
      const wrong = findings.filter((each) => each.state !== "good");
      clear(rows).append(...wrong.map(finding));
      const fine = counted(findings.length - wrong.length, "check");
      text(said, wrong.length ? `${fine} found nothing.` : `All is well: ${fine} found nothing.`);
    } catch (error) {
      clear(rows);
      text(said, error.status === 501 ? "This agent makes no such checks." : error.message);
    }
    button.disabled = false;
  });
  return h(
    "section",
    { class: "card", "aria-labelledby": "h-doctor" },
    h("div", { class: "head" }, h("h2", { id: "h-doctor" }, "Health"), button),
    rows,
    said,
  );
}

function finding(found) {
  return h(
    "li",
    {},
    h("p", { class: `name ${found.state === "bad" ? "bad" : "warn"}` }, `${found.about ? `${shown(found.about)}: ` : ""}${shown(found.text)}`),
    found.cure ? h("p", { class: "small name" }, shown(found.cure)) : null,
    h("p", { class: "small soft" }, found.check),
  );
}

const total = (status) =>
  status.folders.reduce((sum, folder) => sum + folder.problems + (folder.state === "stopped" ? 1 : 0), 0);

function problem() {
  const said = h("p", { class: "name" });
  const where = h("p", { class: "small soft name" });
  return {
    node: h("li", {}, said, where),
    update(each) {
      text(said, shown(each.text));
      text(where, `${shown(each.folder)} · ${each.problem}`);
    },
  };
}
