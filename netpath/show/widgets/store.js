// @ts-check
/**
 * What the reader has done, kept in the browser: the same text as `netpath/exercises/progress.py` keeps in a file.
 * It never leaves the machine. A page that may store nothing (a private window, say) still works; it only forgets.
 */

/** @typedef {"not attempted" | "wrong" | "your code raised" | "right"} State */
/** @typedef {{state: State, variant: number, tries: number}} Entry */
/** @typedef {Record<string, Entry>} Entries */

const KEY = "netpath-progress";
const VERSION = 1;
const CHANGED = "netpath-progress-changed";
const STATES = ["not attempted", "wrong", "your code raised", "right"];

/** @type {Entries} */
let unsaved = {};

/** What is kept, by the exercises' numbers. @returns {Entries} */
export function load() {
  try {
    const text = localStorage.getItem(KEY);
    return text === null ? unsaved : (parse(text) ?? unsaved);
  } catch {
    return unsaved;
  }
}

/** The entries of an exported text; null if it isn't one. @param {string} text @returns {Entries | null} */
export function parse(text) {
  try {
    const found = JSON.parse(text);
    const entries = found.version === VERSION ? found.exercises : null;
    const sound = entries && Object.values(entries).every((/** @type {any} */ each) => STATES.includes(each.state));
    return sound ? entries : null;
  } catch {
    return null;
  }
}

/** The text to keep or to export. @param {Entries} entries */
export const exported = (entries) => `${JSON.stringify({ version: VERSION, exercises: entries }, null, 1)}\n`;

/** Keep these in place of what was kept. @param {Entries} entries */
export function replace(entries) {
  unsaved = entries;
  try {
    localStorage.setItem(KEY, exported(entries));
  } catch {
    // Nothing may be stored here: it is remembered until the page is left.
  }
  window.dispatchEvent(new Event(CHANGED));
}

/** Keep an outcome. What was right once stays so. @param {string} number @param {State} state @param {number} variant */
export function record(number, state, variant) {
  const entries = load();
  const before = entries[number];
  const tries = (before?.tries ?? 0) + (state === "not attempted" ? 0 : 1);
  replace({ ...entries, [number]: { state: before?.state === "right" ? "right" : state, variant, tries } });
}

/** Call back whenever something else is kept; returns how to stop that. @param {() => void} changed */
export function watch(changed) {
  window.addEventListener(CHANGED, changed);
  window.addEventListener("storage", changed);
  return () => {
    window.removeEventListener(CHANGED, changed);
    window.removeEventListener("storage", changed);
  };
}

/** Call back with what a notebook's own file says; never, where there is no kernel to say it, or nothing in that file.
 * The page that is published doesn't bring it along: it would be the record of whoever built the book.
 * @param {import("./kit.js").Model} model @param {(kept: any) => void} told
 */
export function whenKept(model, told) {
  model.on("msg:custom", (/** @type {any} */ message) => {
    if (message?.kind === "kept" && message.kept && Object.keys(message.kept).length) told(message.kept);
  });
  model.send({ kind: "hello" });
}
