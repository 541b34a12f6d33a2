// Another device is let in: an invitation with its code, and who knocks at it.

import { change, perform, say } from "./ask.js";
import { get, post } from "./api.js";
import { chooser } from "./chooser.js";
import { attribute, clear, h, list, s, show, text } from "./dom.js";
import { ago, counted, moment, shown } from "./format.js";

const TIMES = [
  [600, "10 minutes"],
  [3600, "1 hour"],
  [86400, "1 day"],
];
const KEY_LETTERS = 13;

export function invite() {
  const folder = chooser();
  const time = h("select", {}, TIMES.map(([value, label]) => h("option", { value }, label)));
  const uses = h("input", { type: "number", min: 1, max: 62, value: 1, required: true });
  const address = h("input", { type: "text", autocomplete: "off", spellcheck: "false", placeholder: "left out: its own addresses" });
  const asks = h("input", { type: "checkbox", checked: true });
  const reads = h("input", { type: "checkbox" });
  const open = h("button", { type: "button", class: "main" }, "Make an invitation");
  const made = h("div", { class: "body", id: "invitation" });
  const rows = h("ul", { class: "rows" });
  const empty = h("p", { class: "empty" }, "No invitation is open.");
  const node = h(
    "div",
    { class: "column" },
    h(
      "section",
      { class: "card", "aria-labelledby": "h-invite" },
      h("h2", { id: "h-invite", tabindex: -1 }, "Invite a device"),
      h(
        "div",
        { class: "form" },
        folder.node,
        h("label", {}, "Open for", time),
        h("label", {}, "Devices", uses),
        h("label", { class: "grow" }, "Address from outside", address),
        h("label", { class: "check full" }, asks, "Ask me before a device comes in"),
        h("label", { class: "check full" }, reads, "It may only read: what it changes reaches nobody"),
        open,
      ),
      made,
    ),
    h(
      "section",
      { class: "card", "aria-labelledby": "h-open" },
      h("h2", { id: "h-open" }, "Invitations"),
      empty,
      rows,
    ),
  );
  open.addEventListener("click", async () => {
    if (!uses.reportValidity()) return; // the browser says what is wrong with the number
    const id = folder.value();
    const fields = { folder: id, ttl_s: Number(time.value), uses: Number(uses.value), asks: asks.checked, read_only: reads.checked };
    if (address.value.trim() !== "") fields.address = address.value.trim();
    const whom = asks.checked ? "Nobody comes in without your yes." : "Whoever has the code can join.";
    const found = await change(
      `Let ${counted(fields.uses, "device")} into ${shown(id)}?`,
      whom,
      "Make an invitation",
      () => post("/invite", fields),
      (answer) => `an invitation to ${shown(answer.folder)} is open`,
    );
    if (found !== null) await draw(made, found);
  });
  return {
    node,
    title: "Invite",
    count: (status, invitations) => waiting(invitations).length,
    update(model) {
      if (model.status !== null) folder.update(model.status.folders.map((each) => each.id));
      list(rows, model.invitations.slice().reverse(), (each) => each.mark, invitation);
      show(empty, model.invitations.length === 0);
    },
  };
}

async function draw(place, opened) {
  clear(place);
  const copy = h("button", { type: "button" }, "Copy");
  const line = `leftzmq join ${opened.code}`;
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line);
      say("copied");
    } catch {
      say("the browser does not let this page copy: select the line", true);
    }
  });
  const words = h("div", { id: "invitation-words", hidden: true });
  const texts = h(
    "div",
    {},
    h("p", {}, "On the other machine, type:"),
    h("p", { class: "code", id: "invitation-code" }, line),
    h("p", { class: "buttons" }, copy),
    words,
    h("p", { class: "small soft" }, `open until ${moment(opened.until)}${opened.left_out ? `; ${counted(opened.left_out, "address", "addresses")} did not fit into it` : ""}`),
  );
  const picture = h("div");
  place.append(h("div", { class: "invitation" }, texts, picture));
  try {
    picture.append(squares((await post("/qr", { text: opened.code })).rows));
  } catch (error) {
    picture.append(h("p", { class: "small soft" }, error.message));
  }
  try {
    const offered = await post("/words", { mark: opened.mark });
    const code = (typed) => h("p", { class: "code" }, `leftzmq join ${typed}`);
    if (offered.words) {
      words.append(h("p", {}, "or, in the same network, while leftzmq web runs:"), code(offered.words));
      words.append(h("p", { class: "small soft" }, "or, where that does not find this machine:"), code(offered.placed));
    } else {
      words.append(h("p", {}, "or, while leftzmq web runs:"), code(offered.placed));
    }
    show(words, true);
  } catch (error) {
    words.append(h("p", { class: "small soft" }, error.message));
    show(words, true);
  }
}

/** A QR code of dark squares. */
function squares(rows) {
  const size = rows.length;
  const parts = [];
  rows.forEach((row, y) => {
    for (const found of row.matchAll(/1+/g)) parts.push(s("rect", { x: found.index, y, width: found[0].length, height: 1 }));
  });
  return s(
    "svg",
    { class: "qr", viewBox: `0 0 ${size} ${size}`, "shape-rendering": "crispEdges", role: "img", "aria-label": "the code, for a camera" },
    ...parts,
  );
}

function invitation() {
  const said = h("p", { class: "grow name" });
  const badge = h("span", { class: "state" });
  const cancel = h("button", { type: "button", class: "quiet" }, "Cancel");
  let now = null;
  cancel.addEventListener("click", () =>
    change(
      `Take back the invitations to ${shown(now.folder)}?`,
      "All that are open to this folder are taken back. Who came in stays in.",
      "Take back",
      () => post("/invite/cancel", { folder: now.folder }),
      (answer) => `${counted(answer.cancelled, "invitation")} taken back`,
    ),
  );
  return {
    node: h("li", { class: "row" }, said, badge, cancel),
    update(found) {
      now = found;
      const came = found.came_in.length ? ` · came in: ${found.came_in.map((each) => shown(each.name)).join(", ")}` : "";
      const mode = found.mode === "read" ? " · may only read" : "";
      text(said, `${shown(found.folder)}: ${found.uses_left} of ${counted(found.uses, "device")} left, until ${moment(found.until)}${mode}${came}`);
      text(badge, found.state);
      attribute(badge, "class", `state ${found.state === "open" ? "is-busy" : "is-good"}`);
      show(cancel, found.state === "open");
      attribute(cancel, "aria-label", `Cancel the invitations to ${shown(found.folder)}`);
    },
  };
}

// ---- who knocks ----------------------------------------------------------------------------------

const waiting = (invitations) =>
  invitations.flatMap((each) => each.waiting.map((device) => ({ ...device, mark: each.mark, folder: each.folder })));

/** The devices that wait for a yes. */
export function knocks() {
  const rows = h("ul", { class: "rows", id: "knocks" });
  const node = h(
    "section",
    { class: "card", "aria-labelledby": "h-knocks", hidden: true },
    h("h2", { id: "h-knocks" }, "Wants to come in"),
    rows,
  );
  return {
    node,
    update(invitations) {
      const found = waiting(invitations);
      show(node, found.length > 0);
      list(rows, found, (each) => `${each.mark} ${each.key}`, knock);
    },
  };
}

function knock(device) {
  const name = shown(device.name);
  const key = device.key.slice(0, KEY_LETTERS);
  const answer = (yes) => () =>
    change(
      yes ? `Let ${name} into ${shown(device.folder)}?` : `Refuse ${name}?`,
      `Its key begins with ${key}: compare it with what that device shows. Anybody may call themselves ${name}.`,
      yes ? "Let it in" : "Refuse",
      () => post("/invite/answer", { mark: device.mark, key: device.key, yes }),
      () => (yes ? `${name} is let in` : `${name} is refused`),
    );
  const since = h("span", { class: "small soft" });
  const node = h(
    "li",
    { class: "row" },
    h(
      "div",
      { class: "grow wide" },
      h("h3", { class: "name" }, name),
      h("p", { class: "small soft name" }, `to ${shown(device.folder)} · key ${key}… · from ${shown(device.address)} `, since),
    ),
    h("span", { class: "buttons" }, h("button", { type: "button", on: { click: answer(true) } }, "Let in"), h("button", { type: "button", on: { click: answer(false) } }, "Refuse")),
  );
  return { node, update: (each) => text(since, `· ${ago(each.since)}`) };
}
