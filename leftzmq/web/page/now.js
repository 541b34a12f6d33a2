// What goes on at this moment.

import { devices } from "./devices.js";
import { attribute, h, list, show, text } from "./dom.js";
import { decisions, folders } from "./folders.js";
import { bytes, clock, counted, left, rate, shown } from "./format.js";
import { knocks } from "./invite.js";
import { Plot } from "./plot.js";

const SHOWN_EVENTS = 150;
const GROUP_S = 3;
const SINGLE = 3; // of what happens in one folder at once
const PHASES = {
  LISTS: "reads its list of chunks",
  OPENING: "begins",
  VERIFYING: "checks what was here",
  AT_HOME: "copies from this disk",
  FETCHING: "waits",
  WHOLE: "is put in place",
};

export function now() {
  const parts = [decisions(), knocks(), folders(), underWay(), devices()];
  const [decided, knocking, folderPart, wayPart, devicePart] = parts;
  const recent = events();
  const node = h(
    "div",
    { class: "columns" },
    h("div", { class: "column" }, decided.node, knocking.node, folderPart.node, wayPart.node),
    h("div", { class: "column" }, devicePart.node, recent.node),
  );
  return {
    node,
    title: "Now",
    begin: (speeds) => wayPart.plot.begin(speeds),
    tick: (status) => wayPart.tick(status),
    update(model) {
      if (model.status === null) return;
      for (const part of [decided, folderPart, wayPart, devicePart]) part.update(model.status);
      knocking.update(model.invitations);
    },
    tell: (found, began, missed) => recent.tell(found, began, missed),
  };
}

const total = (status, name) => status.folders.reduce((sum, folder) => sum + folder[name], 0);

// ---- what is under way ---------------------------------------------------------------------------

function underWay() {
  const plot = new Plot();
  const rows = h("ul", { class: "rows", id: "under-way" });
  const rest = h("p", { class: "empty" });
  const node = h(
    "section",
    { class: "card", "aria-labelledby": "h-way" },
    h("h2", { id: "h-way" }, "Under way"),
    plot.node,
    rest,
    rows,
  );
  return {
    node,
    plot,
    tick: (status) => plot.add(Date.now() / 1000, total(status, "received_bytes"), total(status, "sent_bytes")),
    update(status) {
      const sum = (name) => total(status, name);
      const files = status.folders.flatMap((folder) =>
        folder.under_way.map((file) => ({ ...file, folder: folder.id })),
      );
      list(rows, files, (file) => `${file.folder}/${file.path}`, transfer);
      const coming = sum("tickets");
      const said = [];
      if (coming) said.push(`${counted(coming, "path")}, ${bytes(sum("need_bytes"))}, to come`);
      const fastest = Math.max(0, ...status.folders.map((folder) => folder.rate));
      if (coming && fastest) said.push(left(sum("need_bytes") - files.reduce((n, file) => n + file.have, 0), fastest));
      if (sum("arriving") > files.length) said.push(`${counted(sum("arriving"), "large file")} arriving`);
      text(rest, said.join(" · ") || "Nothing is to come.");
    },
  };
}

function transfer() {
  const name = h("p", { class: "grow name" });
  const size = h("span", { class: "small soft number" });
  const bar = h("progress", { max: 1 });
  const sources = h("p", { class: "small soft name" });
  return {
    node: h("li", {}, h("div", { class: "row" }, name, size), bar, sources),
    update(file) {
      const part = file.size ? file.have / file.size : 1;
      text(name, shown(file.path));
      text(size, `${Math.floor(100 * part)}% of ${bytes(file.size)}`);
      attribute(bar, "value", part.toFixed(4));
      attribute(bar, "aria-label", shown(file.path));
      const speed = file.sources.reduce((sum, source) => sum + source.rate, 0);
      const from = file.sources.map((source) => `${shown(source.name)} ${rate(source.rate)}`).join(", ");
      const last = left(file.size - file.have, speed);
      text(sources, from ? `from ${from}${last ? ` · ${last}` : ""}` : (PHASES[file.phase] ?? file.phase));
    },
  };
}

// ---- recent changes ------------------------------------------------------------------------------

const VERBS = { file: "file", directory: "folder", symlink: "link" };

/** The sentence of an event; null: it is not shown. */
function sentence(kind, fields) {
  const path = fields.path === undefined ? "" : shown(fields.path);
  const device = fields.device === undefined ? "" : shown(fields.device);
  const what = fields.deleted ? "deleted" : (VERBS[fields.kind] ?? "changed");
  switch (kind) {
    case "scan":
      return fields.deleted ? `deleted here: ${path}` : `changed here: ${path}${fields.kind === "file" ? `, ${bytes(fields.size)}` : ""}`;
    case "finished":
      return `${device ? `${device}: ` : ""}${fields.deleted ? "deleted" : `new ${what}`} ${path}`;
    case "conflict":
      return `conflict at ${path}: the other version is ${shown(fields.copy)}`;
    case "problem":
      return shown(fields.text);
    case "peer_up":
      return `${device} is connected`;
    case "peer_down":
      return `${device} cannot be reached: ${shown(fields.why)}`;
    case "refused":
      return `${device} was refused: ${shown(fields.why)}`;
    case "joined":
      return `${device} joined ${shown(fields.folder)}`;
    case "folder_added":
      return `folder ${shown(fields.folder)} at ${path}`;
    case "rules":
      return `ignore rules changed: ${counted(fields.ignored, "path")} ignored, ${counted(fields.kept, "path")} kept again`;
    case "swept":
      return `the trash gave back ${bytes(fields.bytes)}`;
    case "held":
      return `held back: ${counted(fields.deletes, "loss", "losses")} of ${counted(fields.files, "file")} (${fields.who})`;
    case "ready":
      return "the agent is ready";
    case "stopped":
      return "the agent stopped";
    default:
      return null;
  }
}

/** Of what happens in one folder at once the first have a line each, the rest share one. null: it never does. */
function groupOf(kind, fields) {
  if (kind !== "scan" && kind !== "finished") return null;
  const at = fields.path.lastIndexOf("/");
  const verb = fields.deleted ? "deleted" : "changed";
  return {
    key: [kind, verb, fields.device, fields.folder, at].join("\n") + fields.path.slice(0, Math.max(at, 0)),
    said: (count) => {
      const who = kind === "scan" ? `${verb} here` : `${fields.device ? `${shown(fields.device)}: ` : ""}${verb}`;
      const where = at < 0 ? `in ${shown(fields.folder)}` : `in ${shown(fields.path.slice(0, at))}`;
      return `${who}${kind === "scan" ? ":" : ""} ${counted(count, "more path")} ${where}`;
    },
  };
}

function events() {
  const rows = h("ul", { class: "events", id: "events", tabindex: 0, role: "log", "aria-live": "off", "aria-labelledby": "h-events" });
  const empty = h("p", { class: "empty" }, "Nothing happened yet.");
  const node = h(
    "section",
    { class: "card", "aria-labelledby": "h-events" },
    h("h2", { id: "h-events" }, "Recent changes"),
    empty,
    rows,
  );
  let began = null;
  let last = 0;
  let group = { key: undefined, count: 0, time: 0, row: null };

  function add(kind, time, fields) {
    const said = sentence(kind, fields);
    if (said === null) return;
    const found = groupOf(kind, fields);
    const goesOn = found !== null && found.key === group.key && time - group.time < GROUP_S;
    group = goesOn ? { ...group, count: group.count + 1, time } : { key: found?.key, count: 1, time, row: null };
    if (group.count <= SINGLE) {
      rows.prepend(line(time, said, kind));
      return;
    }
    if (group.row === null) rows.prepend((group.row = line(time, "", kind)));
    text(group.row.lastElementChild, found.said(group.count - SINGLE));
  }

  return {
    node,
    tell(found, run, missed) {
      if (run !== began) last = 0;
      began = run;
      if (missed) rows.prepend(line(null, `and ${counted(missed, "more event")}`));
      for (const [kind, number, time, fields] of found) {
        if (number <= last) continue;
        last = number;
        add(kind, time, fields);
      }
      while (rows.childElementCount > SHOWN_EVENTS) rows.lastElementChild.remove();
      show(empty, rows.childElementCount === 0);
    },
  };
}

function line(time, said, kind = "") {
  const isLoud = kind === "problem" || kind === "conflict" || kind === "held";
  return h(
    "li",
    {},
    time === null ? h("span") : h("time", { datetime: new Date(time * 1000).toISOString() }, clock(time)),
    h("span", { class: `name${isLoud ? " warn" : ""}` }, said),
  );
}
