// The speed of the last minutes: what arrives, and what is sent.

import { attribute, h, s, text } from "./dom.js";
import { rate } from "./format.js";

const SHOWN_S = 300;
const SMOOTH_S = 3;
const WIDTH = 600;
const HEIGHT = 92;
const LEAST = 10000; // bytes a second at the top of an empty plot

export class Plot {
  constructor() {
    this.samples = []; // [unix seconds, received, sent], totals of this run of the agent
    this.inside = s("path", { class: "in" });
    this.outside = s("path", { class: "out" });
    const base = s("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 });
    this.drawing = s(
      "svg",
      { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      base,
      this.inside,
      this.outside,
    );
    this.received = h("b");
    this.sent = h("b");
    this.most = h("span");
    this.node = h(
      "div",
      { class: "body" },
      this.drawing,
      h(
        "p",
        { class: "legend" },
        h("span", {}, h("i"), "received ", this.received),
        h("span", { class: "sent" }, h("i"), "sent ", this.sent),
        this.most,
      ),
    );
  }

  /** Begin with what was measured before this page looked. */
  begin(samples) {
    this.samples = samples.slice();
    this.draw();
  }

  add(unixSeconds, received, sent) {
    this.samples.push([unixSeconds, received, sent]);
    while (this.samples.length && this.samples[0][0] < unixSeconds - SHOWN_S) this.samples.shift();
    this.draw();
  }

  /** [seconds before now, received a second, sent a second] */
  speeds() {
    const last = this.samples.at(-1);
    const found = [];
    let first = 0;
    for (let at = 1; at < this.samples.length; at += 1) {
      const [time, received, sent] = this.samples[at];
      while (first + 1 < at && this.samples[first][0] < time - SMOOTH_S) first += 1;
      const [begin, before, sentBefore] = this.samples[first];
      const took = time - begin;
      const isWhole = took > 0 && received >= before && sent >= sentBefore; // else another run
      if (!isWhole) first = at;
      found.push([
        last[0] - time,
        isWhole ? (received - before) / took : 0,
        isWhole ? (sent - sentBefore) / took : 0,
      ]);
    }
    return found;
  }

  draw() {
    const speeds = this.speeds();
    const peak = Math.max(LEAST, ...speeds.map(([, a, b]) => Math.max(a, b)));
    const x = (age) => (WIDTH * (1 - age / SHOWN_S)).toFixed(1);
    const y = (speed) => (HEIGHT - 1 - ((HEIGHT - 6) * speed) / peak).toFixed(1);
    const line = (which) => speeds.map((speed) => `${x(speed[0])} ${y(speed[which])}`).join("L");
    const area = speeds.length ? `M${x(speeds[0][0])} ${HEIGHT - 1}L${line(1)}L${WIDTH} ${HEIGHT - 1}Z` : "";
    attribute(this.inside, "d", area);
    attribute(this.outside, "d", speeds.length ? `M${line(2)}` : "");
    const [, received, sent] = speeds.at(-1) ?? [0, 0, 0];
    text(this.received, rate(received));
    text(this.sent, rate(sent));
    text(this.most, speeds.length ? `at most ${rate(Math.max(0, ...speeds.map(([, a, b]) => Math.max(a, b))))} in 5 min` : "");
  }
}
