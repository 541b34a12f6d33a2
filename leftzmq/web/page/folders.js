// The folders of this device: how far each is, and what is held in it.

import { change, choose, perform } from "./ask.js";
import { get, post } from "./api.js";
import { attribute, h, list, show, text } from "./dom.js";
import { bytes, counted, shown } from "./format.js";

const LOOKS = {
  idle: "is-good",
  syncing: "is-busy",
  scanning: "is-busy",
  alone: "is-warn",
  held: "is-warn",
  paused: "is-warn",
  stopped: "is-bad",
};
const FOR_S = [
  { value: 0, label: "until it is resumed" },
  { value: 1800, label: "for 30 minutes" },
  { value: 7200, label: "for 2 hours" },
  { value: 86400, label: "for a day" },
];
const MODES = { send: "only sends", receive: "only receives" };

export function state(node, word, look) {
  attribute(node, "class", `state ${look ?? ""}`.trim());
  return text(node, word);
}

/** Ask how long, and pause. fields: {folder} or {peer} */
export async function pause(name, fields) {
  const select = h("select", {}, FOR_S.map((each) => h("option", { value: each.value }, each.label)));
  const body = [
    fields.folder
      ? "What happens in it is recorded; nothing of it is told, asked for or given."
      : "It is neither dialed nor let in.",
    h("label", {}, "How long", select),
  ];
  await change(
    `Pause ${name}?`,
    body,
    "Pause",
    () => post("/pause", select.value === "0" ? fields : { ...fields, for_s: Number(select.value) }),
    () => `${name} is paused`,
  );
}

export function resume(name, fields) {
  return perform(() => post("/resume", fields), () => `${name} goes on`);
}

/** The part of a page about all folders. */
export function folders() {
  const rows = h("ul", { class: "rows", id: "folders" });
  const empty = h("p", { class: "empty" }, "There is no folder here yet: `leftzmq share DIR` begins one.");
  const node = h(
    "section",
    { class: "card", "aria-labelledby": "h-folders" },
    h("h2", { id: "h-folders" }, "Folders"),
    empty,
    rows,
  );
  return {
    node,
    update(status) {
      show(empty, status.folders.length === 0);
      list(rows, status.folders, (each) => each.id, folder);
    },
  };
}

function folder() {
  const name = h("h3", { class: "name" });
  const badge = h("span", { class: "state" });
  const button = h("button", { type: "button", class: "quiet" });
  const bar = h("progress", { max: 1 });
  const facts = h("p", { class: "facts" });
  const why = h("p", { class: "small warn name" });
  const members = h("ul", { class: "facts" });
  let now = null;
  button.addEventListener("click", () => {
    const fields = { folder: now.id };
    if (now.state === "paused") resume(shown(now.id), fields);
    else pause(shown(now.id), fields);
  });
  const node = h("li", {}, h("div", { class: "row" }, h("div", { class: "grow" }, name), badge, button), bar, facts, members, why);
  return {
    node,
    update(folder) {
      now = folder;
      text(name, shown(folder.id));
      state(badge, folder.state, LOOKS[folder.state]);
      text(button, folder.state === "paused" ? "Resume" : "Pause");
      attribute(button, "aria-label", `${button.textContent} ${shown(folder.id)}`);
      show(button, folder.state !== "stopped" && folder.state !== "held");
      const coming = folder.under_way.reduce((sum, file) => sum + file.have, 0);
      const whole = folder.bytes + folder.need_bytes;
      const part = whole ? Math.min(1, (folder.bytes + coming) / whole) : 1;
      show(bar, folder.tickets > 0);
      attribute(bar, "value", part.toFixed(4));
      attribute(bar, "aria-label", `${shown(folder.id)}: ${Math.floor(100 * part)}% is here`);
      const said = [counted(folder.files, "file"), bytes(folder.bytes)];
      if (MODES[folder.mode]) said.push(MODES[folder.mode]);
      if (folder.tickets) said.push(`${counted(folder.tickets, "path")} (${bytes(folder.need_bytes)}) to come`);
      if (folder.waits_for) said.push(`waits for a ${folder.waits_for}`);
      if (folder.not_kept) said.push(`${counted(folder.not_kept, "path")} not kept here`);
      if (folder.differs) said.push(`${counted(folder.differs, "path")} otherwise here`);
      list(facts, said.map((sentence, at) => ({ at, sentence })), (each) => each.at, fact);
      text(why, shown(folder.why));
      show(why, folder.why !== "");
      list(members, folder.members.filter((each) => each.state !== "not there"), (each) => each.name, member);
    },
  };
}

function fact() {
  const node = h("span");
  return { node, update: (each) => text(node, each.sentence) };
}

function member() {
  const node = h("li", { class: "name" });
  return {
    node,
    update(each) {
      const lacks = each.behind_paths ? ` by ${counted(each.behind_paths, "path")}, ${bytes(each.behind_bytes)}` : "";
      text(node, `${shown(each.name)}: ${each.state}${lacks}`);
      attribute(node, "title", each.why ? shown(each.why) : null);
    },
  };
}

// ---- what waits for a decision ------------------------------------------------------------------

const HELD = {
  here: {
    said: (count, id) => `${counted(count, "file")} of ${id} were lost or turned to noise on this device. The others are not told.`,
    accept: "The other devices are told, and that it is accepted.",
    revert: "They come back from the devices that have them; what lies there goes to the trash.",
  },
  elsewhere: {
    said: (count, id) => `${counted(count, "file")} of ${id} were lost or turned to noise on other devices. Nothing was done here.`,
    accept: "The old files go to the trash here, too; the other devices are told that it is accepted.",
    revert: "They stay, and come back on the other devices.",
  },
};

/** Losses that are held back, and folders whose join waits for an answer. */
export function decisions() {
  const rows = h("ul", { class: "rows" });
  const node = h(
    "section",
    { class: "card", "aria-labelledby": "h-held" },
    h("h2", { id: "h-held" }, "To be decided"),
    rows,
  );
  return {
    node,
    update(status) {
      const found = [];
      for (const each of status.folders) {
        if (each.state === "held") found.push({ key: `${each.id} join`, id: each.id, why: each.why });
        for (const side of ["here", "elsewhere"]) {
          if (each.held[side]) found.push({ key: `${each.id} ${side}`, id: each.id, side, count: each.held[side] });
        }
      }
      show(node, found.length > 0);
      list(rows, found, (each) => each.key, (each) => (each.side ? held() : joined()));
    },
  };
}

function held() {
  const sentence = h("p", { class: "grow wide name" });
  const accept = h("button", { type: "button" }, "Accept");
  const revert = h("button", { type: "button" }, "Revert");
  let now = null;
  const decide = (verb, label) => async () => {
    const { id, side } = now;
    const name = shown(id);
    await change(
      `${label} what is held back in ${name}?`,
      HELD[side][verb],
      label,
      () => post(`/${verb}`, { folder: id }),
      () => `${name}: ${HELD[side][verb]}`,
    );
  };
  accept.addEventListener("click", decide("accept", "Accept"));
  revert.addEventListener("click", decide("revert", "Revert"));
  return {
    node: h("li", { class: "row" }, sentence, h("span", { class: "buttons" }, accept, revert)),
    update(item) {
      now = item;
      text(sentence, HELD[item.side].said(item.count, shown(item.id)));
    },
  };
}

function joined() {
  const sentence = h("p", { class: "grow wide name" });
  const plan = h("button", { type: "button" }, "See the plan");
  let now = null;
  plan.addEventListener("click", () => answerPlan(now.id));
  return {
    node: h("li", { class: "row" }, sentence, plan),
    update(item) {
      now = item;
      text(sentence, `${shown(item.id)} was joined and is held: ${shown(item.why)}`);
    },
  };
}

const FATES = [
  ["comes", "come from others"],
  ["same", "are the same"],
  ["replaced", "are replaced; the old ones go to the trash"],
  ["removed", "go to the trash"],
  ["conflicts", "differ: both versions are kept"],
  ["goes", "go to others"],
];

async function answerPlan(id) {
  const name = shown(id);
  const plan = await perform(() => get("/join-plan", { folder: id }), (found) => (found.is_read ? "the plan is read" : found.why));
  if (plan === null || !plan.is_read) return;
  const rows = FATES.map(([fate, said]) =>
    h("tr", {}, h("th", { scope: "row" }, said), h("td", { class: "number" }, counted(plan[fate].paths, "path")), h("td", { class: "number" }, bytes(plan[fate].bytes))),
  );
  const answer = await choose(`Join ${name}?`, h("table", { class: "plan" }, h("tbody", {}, rows)), [
    { value: "no", label: "Leave it" },
    { value: "yes", label: "Join", main: true },
  ]);
  if (answer === null) return;
  await perform(
    () => post(`/join-${answer}`, { folder: id }),
    () => (answer === "yes" ? `${name} is joined` : `${name} is left; its files stay`),
  );
}
