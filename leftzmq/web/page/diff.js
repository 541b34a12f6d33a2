// Two texts side by side, line by line.

import { h } from "./dom.js";
import { shown } from "./format.js";

const MOST_STEPS = 600; // differences that are looked for; more of them are one block
const MOST_ROWS = 3000;
const CONTEXT = 3;

const lines = (value) => {
  const found = value.split("\n");
  if (found.at(-1) === "") found.pop();
  return found;
};

/** Return [left or null, right or null] for each row; null where one side has no such line. */
export function pairs(leftText, rightText) {
  const a = lines(leftText);
  const b = lines(rightText);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const same = (from, to) => a.slice(from, to).map((line) => [line, line]);
  return [
    ...same(0, head),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(a.length - tail, a.length),
  ];
}

/** The shortest way from one list to the other (Myers); side by side where lines were replaced. */
function middle(a, b) {
  const trace = [];
  let reach = new Map([[1, 0]]);
  for (let steps = 0; steps <= MOST_STEPS; steps += 1) {
    const next = new Map();
    for (let k = -steps; k <= steps; k += 2) {
      const down = k === -steps || (k !== steps && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
      let x = down ? (reach.get(k + 1) ?? 0) : (reach.get(k - 1) ?? 0) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x += 1;
        y += 1;
      }
      next.set(k, x);
      if (x >= a.length && y >= b.length) return beside(way(a, b, [...trace, reach], steps));
    }
    trace.push(reach);
    reach = new Map([...reach, ...next]);
  }
  return beside([...a.map((line) => [line, null]), ...b.map((line) => [null, line])]);
}

function way(a, b, trace, steps) {
  const found = [];
  let x = a.length;
  let y = b.length;
  for (let step = steps; step >= 0; step -= 1) {
    const reach = trace[step];
    const k = x - y;
    const down = k === -step || (k !== step && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const from = down ? k + 1 : k - 1;
    const beginX = step === 0 ? 0 : (reach.get(from) ?? 0);
    const beginY = step === 0 ? 0 : beginX - from;
    while (x > beginX && y > beginY && a[x - 1] === b[y - 1]) {
      x -= 1;
      y -= 1;
      found.push([a[x], b[y]]);
    }
    if (step > 0) {
      if (down) found.push([null, b[(y -= 1)]]);
      else found.push([a[(x -= 1)], null]);
    }
  }
  return found.reverse();
}

function beside(rows) {
  const found = [];
  let gone = [];
  let come = [];
  const settle = () => {
    for (let at = 0; at < Math.max(gone.length, come.length); at += 1) {
      found.push([gone[at] ?? null, come[at] ?? null]);
    }
    gone = [];
    come = [];
  };
  for (const [left, right] of rows) {
    if (left !== null && right !== null) {
      settle();
      found.push([left, right]);
    } else if (left !== null) gone.push(left);
    else come.push(right);
  }
  settle();
  return found;
}

const isSame = ([left, right]) => left !== null && left === right;
const visible = (line) => line.split("\t").map(shown).join("\t");

/**
 * Return a table; what is the same is shown near a difference only. Each run of differences is a
 * body of its own: on a narrow screen what went stands above what came.
 */
export function diff(leftText, rightText) {
  const rows = pairs(leftText, rightText);
  const near = new Uint8Array(rows.length);
  rows.forEach((row, at) => {
    if (!isSame(row)) near.fill(1, Math.max(0, at - CONTEXT), at + CONTEXT + 1);
  });
  const table = h("table", { class: "diff" });
  let body = null;
  let wasSame = null;
  let drawn = 0;
  let skipped = 0;
  const put = (isEqual, ...cells) => {
    if (isEqual !== wasSame) table.append((body = h("tbody")));
    wasSame = isEqual;
    drawn += 1;
    body.append(h("tr", {}, ...cells));
  };
  const skip = () => {
    const said = `${skipped} ${skipped === 1 ? "line" : "lines"} the same`;
    if (skipped) put(true, h("td", { class: "skip-lines", colspan: 2 }, said));
    skipped = 0;
  };
  rows.forEach((row, at) => {
    if (!near[at]) skipped += 1;
    if (!near[at] || drawn >= MOST_ROWS) return;
    skip();
    const [left, right] = row;
    const cell = (line, mark) =>
      h("td", { class: isSame(row) ? "same" : line === null ? "none" : mark }, line === null ? "" : visible(line));
    put(isSame(row), cell(left, "minus"), cell(right, "plus"));
  });
  skip();
  if (drawn >= MOST_ROWS) put(true, h("td", { class: "skip-lines", colspan: 2 }, "and more"));
  return table;
}
