// Checks the modules of the page that compute: run in the page itself, with a callback.

const done = arguments[0];
(async () => {
  const { pairs } = await import("/page/diff.js");
  const { bytes, shown, duration } = await import("/page/format.js");
  let seed = 7;
  const random = (below) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 16) % below; // the lower bits have short periods
  };
  let kept = 0;
  for (let turn = 0; turn < 400; turn += 1) {
    const text = () => Array.from({ length: random(14) }, () => "abcd"[random(4)] + "\n").join("");
    const [a, b] = [text(), text()];
    const rows = pairs(a, b);
    const side = (at) => rows.map((row) => row[at]).filter((line) => line !== null).map((l) => l + "\n").join("");
    if (side(0) !== a || side(1) !== b) return done(`diff of ${JSON.stringify([a, b])}`);
    const same = rows.filter(([x, y]) => x !== null && x === y).length;
    if (same > 0) kept += 1;
    if (a === b && rows.some(([x, y]) => x !== y)) return done("same is not same");
  }
  if (kept < 200) return done(`only ${kept} of 400 pairs had a line in common`);
  const long = (mark) => Array.from({ length: 5000 }, (_, at) => `${mark} ${at}`).join("\n");
  if (pairs(long("a"), long("b")).length !== 5000) return done("two long texts");
  const said = [bytes(0), bytes(999), bytes(1000), bytes(999949), bytes(2457442066), duration(30), duration(7200)];
  if (said.join("|") !== "0 B|999 B|1.0 KB|1.0 MB|2.5 GB|30 s|2 h") return done(said.join("|"));
  if (shown("a\u202eb\u0007\u00e9") !== "a\\u202eb\\u0007\u00e9") return done(shown("a\u202eb\u0007\u00e9"));
  return done("");
})().catch((error) => done(String(error)));
