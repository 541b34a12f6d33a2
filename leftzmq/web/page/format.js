// How numbers, times and names are read.

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

export function bytes(count) {
  let size = count;
  let unit = 0;
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit && size < 99.95 ? size.toFixed(1) : Math.round(size)} ${UNITS[unit]}`;
}

export function rate(perSecond) {
  return `${bytes(perSecond)}/s`;
}

export function limit(perSecond) {
  if (perSecond === null || perSecond === undefined) return "no limit";
  return perSecond === 0 ? "nothing now" : rate(perSecond);
}

export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

export function duration(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** How long ago a time in unix seconds was. */
export function ago(unixSeconds) {
  return `${duration(Date.now() / 1000 - unixSeconds)} ago`;
}

const two = (number) => String(number).padStart(2, "0");

export function clock(unixSeconds) {
  const date = new Date(unixSeconds * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function moment(unixSeconds) {
  const date = new Date(unixSeconds * 1000);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The unix seconds of a batch of the trash, 20261005-140307-0000abcd (UTC). */
export function takenAt(batch) {
  const [, y, mo, d, ho, mi, se] = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(batch) ?? [];
  return y === undefined ? 0 : Date.UTC(y, mo - 1, d, ho, mi, se) / 1000;
}

/**
 * A name as it is shown: letters that cannot be seen, or that turn the direction of others, are
 * written as their numbers.
 */
export function shown(name) {
  return String(name).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (letter) => {
    const code = letter.codePointAt(0).toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
  });
}

const MOST_LEFT_S = 30 * 86400; // what is longer is a guess

/** The time that is left, as text, of so many bytes at this rate; "" where nobody knows. */
export function left(count, perSecond) {
  const seconds = count / perSecond;
  return perSecond > 0 && seconds < MOST_LEFT_S ? `${duration(seconds)} left` : "";
}
