// Why a path is not the same everywhere.

import { get } from "./api.js";
import { chooser } from "./chooser.js";
import { h, text } from "./dom.js";
import { bytes, moment, rate, shown } from "./format.js";

/** Return whether the agent answers such questions. */
export async function canSay(status) {
  const [folder] = status.folders;
  if (folder === undefined) return false;
  try {
    await get("/why", { folder: folder.id, path: "." });
  } catch (error) {
    return error.status === 409;
  }
  return true;
}

export function why() {
  const folder = chooser();
  const path = h("input", { type: "text", id: "why-path", autocomplete: "off", spellcheck: "false", required: true });
  const answer = h("div", { id: "why-answer", role: "status", class: "body" });
  const button = h("button", { type: "button", class: "main" }, "Ask");
  const ask = async () => {
    const typed = path.value.trim().replace(/^\.\//, "").replace(/\/+$/, "");
    if (typed === "") {
      answer.replaceChildren(h("p", { class: "soft" }, "Type a path as it is in the folder."));
      path.focus();
      return;
    }
    try {
      answer.replaceChildren(...said(await get("/why", { folder: folder.value(), path: typed })));
    } catch (error) {
      answer.replaceChildren(h("p", { class: "bad name" }, error.message));
    }
  };
  button.addEventListener("click", ask);
  path.addEventListener("keydown", (event) => {
    if (event.key === "Enter") ask();
  });
  const node = h(
    "section",
    { class: "card", "aria-labelledby": "h-why" },
    h("h2", { id: "h-why", tabindex: -1 }, "Why is a file not there?"),
    h("div", { class: "form" }, folder.node, h("label", { class: "grow" }, "Path in the folder", path), button),
    answer,
  );
  return {
    node,
    title: "Why",
    update(model) {
      if (model.status !== null) folder.update(model.status.folders.map((each) => each.id));
    },
  };
}

function said(answer) {
  const parts = [h("h3", { class: "name" }, shown(answer.text))];
  if (answer.cure) parts.push(h("p", { class: "name" }, shown(answer.cure)));
  const facts = [];
  if (answer.since) facts.push(`since ${moment(answer.since)}`);
  if (answer.have !== null && answer.bytes !== null) facts.push(`${bytes(answer.have)} of ${bytes(answer.bytes)} is here`);
  else if (answer.bytes) facts.push(bytes(answer.bytes));
  if (answer.rate) facts.push(rate(answer.rate));
  if (answer.by) facts.push(`last changed by ${shown(answer.by)}`);
  if (facts.length) parts.push(h("p", { class: "small soft name" }, facts.join(" · ")));
  if (answer.copies?.length) {
    parts.push(h("p", { class: "small name" }, `conflict copies: ${answer.copies.map(shown).join(", ")}`));
  }
  if (answer.peers?.length) {
    const rows = answer.peers.map((peer) =>
      h(
        "li",
        { class: "row" },
        h("b", { class: "name" }, shown(peer.name)),
        h("span", { class: "grow name" }, peer.reason === "same" ? "has the same" : shown(peer.text)),
        peer.cure ? h("span", { class: "small soft name" }, shown(peer.cure)) : null,
      ),
    );
    parts.push(h("ul", { class: "rows" }, rows));
  }
  return parts;
}
