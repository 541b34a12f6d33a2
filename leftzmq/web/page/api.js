// Questions to `leftzmq web`, changes, and the stream of what happens.

const STORED = "leftzmq-key";
const SILENT_MS = 40000; // a ping comes every 15 s
const RETRY_MS = 1000;

/** The key came behind the '#' of the address; it stays in this origin, and leaves the address. */
export function takeKey() {
  const found = /^#key=([\w-]+)$/.exec(location.hash);
  if (found !== null) {
    localStorage.setItem(STORED, found[1]);
    history.replaceState(null, "", "/");
  }
}

const headers = () => ({ "X-Leftzmq-Page": localStorage.getItem(STORED) ?? "" });

/** An answer that is none. status: of HTTP, 0: nobody answered. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function answered(response) {
  const answer = await response.json();
  if (response.ok) return answer;
  const no = answer.declined;
  if (no === undefined) throw new Refused(response.status, answer.error ?? response.statusText);
  const what = no.where ? `${no.where}: ${no.what}` : no.what;
  throw new Refused(response.status, no.do ? `${what} (${no.do})` : what);
}

async function asked(path, options) {
  let response;
  try {
    response = await fetch(`/api/v1${path}`, options);
  } catch {
    throw new Refused(0, "leftzmq web does not answer");
  }
  return answered(response);
}

export function get(path, fields = {}) {
  const query = new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== ""));
  return asked(query.size ? `${path}?${query}` : path, { headers: headers() });
}

export function post(path, fields = {}) {
  return asked(path, {
    method: "POST",
    headers: { ...headers(), "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
}

/** Call on(kind, value) for what the stream says until it ends. Throws Refused. */
async function read(on, signal) {
  let response;
  try {
    response = await fetch("/api/v1/stream", { headers: headers(), signal: signal.signal });
  } catch {
    throw new Refused(0, "leftzmq web does not answer");
  }
  if (!response.ok) await answered(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let silence = null;
  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(() => signal.abort(), SILENT_MS);
  };
  try {
    for (;;) {
      listen();
      const { value, done } = await reader.read();
      if (done) return;
      const messages = (rest + value).split("\n\n");
      rest = messages.pop();
      for (const message of messages) {
        const found = /^event: (\w+)\ndata: ([^\n]*)$/.exec(message.trim());
        if (found !== null) on(found[1], JSON.parse(found[2]));
      }
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    return; // the connection is gone
  } finally {
    clearTimeout(silence);
  }
}

/**
 * Follow the stream for ever: an agent, or a `leftzmq web`, that went is found again. A page that
 * nobody sees follows nothing. on(kind, value); `gone` has the sentence and whether it is over.
 */
export async function follow(on) {
  let hidden = null;
  for (;;) {
    await seen();
    const signal = new AbortController();
    const look = () => {
      clearTimeout(hidden);
      if (document.hidden) hidden = setTimeout(() => signal.abort(), 30000);
    };
    document.addEventListener("visibilitychange", look);
    try {
      await read(on, signal);
      if (!document.hidden) on("gone", { sentence: "leftzmq web does not answer", isOver: false });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const isOver = error.status === 401 || error.status === 403 || error.status === 421;
      on("gone", { sentence: error.message, isOver });
      if (isOver) return;
    } finally {
      document.removeEventListener("visibilitychange", look);
      clearTimeout(hidden);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function seen() {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    look();
  });
}
