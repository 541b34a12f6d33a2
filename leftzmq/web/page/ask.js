// Before something is changed it is asked once, and then it is said what was done.

import { h, text } from "./dom.js";
import { Refused } from "./api.js";

const dialog = document.getElementById("ask");
const SHOWN_MS = 12000; // what went wrong stays until it is closed
const MOST_SAID = 3;

/**
 * Ask, and return what was chosen: the value of a button, or null. buttons: [{value, label, main}]
 */
export function choose(title, body, buttons) {
  text(document.getElementById("ask-title"), title);
  const parts = [body].flat().map((part) => (typeof part === "string" ? h("p", {}, part) : part));
  document.getElementById("ask-body").replaceChildren(...parts);
  return new Promise((resolve) => {
    let chosen = null;
    const pick = (value) => () => {
      chosen = value;
      dialog.close();
    };
    const made = [{ value: null, label: "Cancel" }, ...buttons].map((button) =>
      h("button", { type: "button", class: button.main ? "main" : null, on: { click: pick(button.value) } }, button.label),
    );
    document.getElementById("ask-buttons").replaceChildren(...made);
    dialog.addEventListener("close", () => resolve(chosen), { once: true });
    dialog.showModal();
    made[0].focus();
  });
}

export function say(sentence, isBad = false) {
  const close = h("button", { type: "button", "aria-label": "Close this message" }, "Close");
  const line = h("p", { class: isBad ? "is-bad" : null }, h("span", {}, sentence), close);
  const place = document.getElementById("said");
  while (place.childElementCount >= MOST_SAID) place.firstElementChild.remove();
  close.addEventListener("click", () => line.remove());
  place.append(line);
  if (!isBad) setTimeout(() => line.remove(), SHOWN_MS);
}

/**
 * Ask whether something is to be done, do it, and say what was done. act(): its answer; done(answer):
 * the sentence. Return the answer, or null.
 */
export async function change(title, body, label, act, done) {
  if ((await choose(title, body, [{ value: true, label, main: true }])) === null) return null;
  return perform(act, done);
}

export async function perform(act, done) {
  try {
    const answer = await act();
    // What went wrong before was tried again, or is of no interest any more.
    for (const line of document.querySelectorAll("#said > .is-bad")) line.remove();
    say(done(answer));
    return answer;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message, true);
    return null;
  }
}
