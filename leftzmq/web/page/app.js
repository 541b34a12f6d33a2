// Wires the page: the stream feeds the model, the model feeds the view that is open.

import { follow, takeKey } from "./api.js";
import { conflicts } from "./conflicts.js";
import { attribute, h, show, text } from "./dom.js";
import { limit, shown } from "./format.js";
import { invite } from "./invite.js";
import { now } from "./now.js";
import { problems } from "./problems.js";
import { trash } from "./trash.js";
import { canSay, why } from "./why.js";

const model = { status: null, invitations: [] };
const first = now();
const views = { now: first, conflicts: conflicts(), trash: trash(), problems: problems(), why: why(), invite: invite() };
const links = {};
let current = "now";
let isAskable = null; // whether the agent can say why

takeKey();
const main = document.getElementById("main");
const away = document.getElementById("away");
for (const [name, view] of Object.entries(views)) {
  const count = h("span", { class: "count", hidden: true });
  const link = h("a", { href: `#${name}` }, view.title, count);
  links[name] = { link, count, item: h("li", {}, link) };
  document.getElementById("views").append(links[name].item);
  view.node.hidden = true;
  main.append(view.node);
}
show(links.why.item, false);
show(main, false); // nothing is known yet, not even that there is nothing
addEventListener("hashchange", () => open(true));
open(false);

function open(isAsked) {
  const wanted = location.hash.slice(1);
  current = wanted in views ? wanted : "now";
  for (const [name, view] of Object.entries(views)) {
    view.node.hidden = name !== current;
    attribute(links[name].link, "aria-current", name === current ? "page" : null);
  }
  const view = views[current];
  view.open?.();
  draw();
  if (isAsked) {
    (view.node.querySelector("h2[tabindex]") ?? main).focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function draw() {
  if (model.status === null) return;
  for (const [name, view] of Object.entries(views)) {
    const count = view.count?.(model.status, model.invitations) ?? 0;
    text(links[name].count, count);
    show(links[name].count, count > 0);
    attribute(links[name].count, "class", name === "problems" || name === "invite" ? "count is-warn" : "count");
  }
  views[current].update(model);
}

function header(status) {
  text(document.getElementById("device"), shown(status.device));
  document.title = `${shown(status.device)} · leftzmq`;
  const connected = status.peers.filter((peer) => peer.connected).length;
  const lines = [`${connected} of ${status.peers.length} devices connected`];
  if (status.limits.up !== null) lines.push(`sends at most: ${limit(status.limits.up)}`);
  if (status.limits.down !== null) lines.push(`receives at most: ${limit(status.limits.down)}`);
  text(document.getElementById("line"), lines.join(" · "));
}

function goesAway(sentence) {
  text(away, sentence);
  show(away, true);
}

const handlers = {
  status(status) {
    const isFirst = model.status === null;
    model.status = status;
    show(away, false);
    header(status);
    show(main, true);
    draw();
    if (isFirst) performance.mark("first status");
    if (isAskable === null) {
      isAskable = false;
      canSay(status).then((can) => {
        isAskable = can;
        show(links.why.item, can);
      });
    }
  },
  invitations(found) {
    model.invitations = found.invitations;
    draw();
  },
  events: ({ events, began, missed }) => first.tell(events, began, missed),
  speeds: (samples) => first.begin(samples),
  away({ error }) {
    isAskable = null;
    goesAway(`The agent is away: ${error}. This page goes on by itself when it is back.`);
  },
  gone({ sentence, isOver }) {
    goesAway(isOver ? `${sentence}.` : `${sentence}; it is tried again.`);
  },
};

setInterval(() => {
  if (model.status !== null && away.hidden) first.tick(model.status);
}, 1000);
follow((kind, value) => handlers[kind]?.(value));
