// The other devices: how far each is, and why it is not connected.

import { pause, resume, state } from "./folders.js";
import { attribute, h, list, show, text } from "./dom.js";
import { ago, bytes, counted, limit, rate, shown } from "./format.js";

const LOOKS = {
  "in sync": "is-good",
  behind: "is-busy",
  syncing: "is-busy",
  "two of that key": "is-bad",
  apart: "is-warn",
  connecting: "is-warn",
  "not connected": "is-warn",
  "no key": "is-bad",
};

export function devices() {
  const rows = h("ul", { class: "rows", id: "devices" });
  const empty = h("p", { class: "empty" }, "No other device is known: invite one.");
  const strangers = h("ul", { class: "rows" });
  const node = h(
    "section",
    { class: "card", "aria-labelledby": "h-devices" },
    h("h2", { id: "h-devices" }, "Devices"),
    empty,
    rows,
    strangers,
  );
  return {
    node,
    update(status) {
      show(empty, status.peers.length === 0);
      const whole = status.folders.reduce((sum, folder) => sum + folder.bytes, 0);
      list(rows, status.peers.map((peer) => ({ ...peer, whole })), (each) => each.name, device);
      list(strangers, status.strangers, (each) => each.key, stranger);
    },
  };
}

function device() {
  const name = h("h3", { class: "name" });
  const badge = h("span", { class: "state" });
  const button = h("button", { type: "button", class: "quiet" });
  const bar = h("progress", { max: 1 });
  const facts = h("p", { class: "small soft name" });
  const note = h("p", { class: "small warn name" });
  let now = null;
  button.addEventListener("click", () => {
    const fields = { peer: now.name };
    if (now.reason === "paused") resume(shown(now.name), fields);
    else pause(shown(now.name), fields);
  });
  return {
    node: h("li", {}, h("div", { class: "row" }, h("div", { class: "grow" }, name), badge, button), bar, facts, note),
    update(peer) {
      now = peer;
      const isPaused = peer.reason === "paused";
      text(name, shown(peer.name));
      state(badge, isPaused ? "paused" : peer.state, LOOKS[peer.state]);
      text(button, isPaused ? "Resume" : "Pause");
      attribute(button, "aria-label", `${button.textContent} ${shown(peer.name)}`);
      show(bar, peer.behind_bytes > 0);
      const part = peer.whole ? Math.max(0, 1 - peer.behind_bytes / peer.whole) : 1;
      attribute(bar, "value", part.toFixed(4));
      attribute(bar, "aria-label", `${shown(peer.name)}: has ${Math.floor(100 * part)}%`);
      const said = [];
      if (peer.since !== null) said.push(`${peer.connected ? "connected" : "last seen"} ${ago(peer.since)}`);
      if (peer.behind_paths) {
        const since = peer.behind_since === null ? "" : `, for ${ago(peer.behind_since).replace(" ago", "")}`;
        said.push(`lacks ${counted(peer.behind_paths, "path")}, ${bytes(peer.behind_bytes)}${since}`);
      }
      if (peer.limits.up !== null) said.push(`to it: ${limit(peer.limits.up)}`);
      if (peer.limits.down !== null) said.push(`from it: ${limit(peer.limits.down)}`);
      if (peer.gives !== null) said.push(peer.gives ? `it gives at most ${rate(peer.gives)}` : "it gives nothing now");
      text(facts, said.join(" · "));
      text(note, shown(peer.note));
      show(note, peer.note !== "");
    },
  };
}

function stranger() {
  const node = h("li", { class: "small name" });
  return {
    node,
    update(found) {
      const removed = found.removed_from.length ? `; it was removed from ${found.removed_from.map(shown).join(", ")}` : "";
      const from = found.address ? ` from ${shown(found.address)}` : "";
      text(node, `refused${from}: a key that is no device's here, ${shown(found.key)}${removed}`);
    },
  };
}
