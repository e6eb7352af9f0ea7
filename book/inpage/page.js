// @ts-check
/**
 * Run, Edit and Reset for the cells of a page. This script makes the buttons; Python itself, and the script that starts
 * it, are loaded on the first Run.
 *
 * A cell builds on those before it, so the first thing that Run does is to run these, if they haven't run yet.
 */

/** @typedef {import("./interpreter.js").Interpreter} Interpreter */
/** @typedef {import("./interpreter.js").Output} Output */

const KEPT = "np-kept";

/** An element with its attributes and what stands in it.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, string>} attributes @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @param {string} label @param {string} title @param {() => void} press */
function button(label, title, press) {
  const made = h("button", { type: "button", class: "np-run-button", title }, label);
  made.addEventListener("click", press);
  return made;
}

const announcer = h("div", { role: "status", class: "np-run-announcer" });

/** Say it to those who listen. @param {string} text */
const announce = (text) => (announcer.textContent = text);

/** @type {Cell[]} */
const cells = [];
/** @type {Interpreter | null} */
let interpreter = null;
/** @type {Cell | null} the one that is told how loading goes */
let busy = null;

async function theInterpreter() {
  const { Interpreter } = await import("./interpreter.js");
  interpreter ??= new Interpreter((state) => busy?.say(state));
  return interpreter;
}

class Cell {
  /** @param {HTMLElement} element @param {number} at */
  constructor(element, at) {
    this.element = element;
    this.name = `<cell ${at + 1}>`;
    this.running = false;
    this.code = /** @type {HTMLElement} */ (element.querySelector(".cell_input pre"));
    this.published = (this.code.textContent || "").trimEnd();
    /** @type {HTMLTextAreaElement | null} */
    this.editor = null;
    /** @type {HTMLElement | null} */
    this.output = null;
    if (element.classList.contains("np-runs")) this.addBar();
  }

  get source() {
    return this.editor ? this.editor.value : this.published;
  }

  addBar() {
    this.state = h("span", { class: "np-run-state" });
    this.runs = button("Run", "Run this cell, in your browser (in the editor: Ctrl+Enter)", () => this.press());
    this.edits = button("Edit", "Change this cell's code", () => this.edit());
    this.resets = button("Reset", "Bring back the published code and output", () => this.reset());
    this.resets.hidden = true;
    const bar = h("div", { class: "np-run-bar" }, this.runs, this.edits, this.resets, this.state);
    this.element.querySelector(".cell_input")?.after(bar);
  }

  /** Say how it goes, beside the buttons. @param {string} text */
  say(text) {
    if (this.state) this.state.textContent = text;
  }

  press() {
    if (this.running) interpreter?.stop();
    else void this.run();
  }

  /** @param {boolean} on */
  setRunning(on) {
    this.running = on;
    if (!this.runs || !this.resets) return;
    this.runs.textContent = on ? "Stop" : "Run";
    this.element.toggleAttribute("data-running", on);
    if (on) this.resets.hidden = false;
  }

  /** Run it, and first those before it; show what comes of it. */
  async run() {
    busy = this;
    this.setRunning(true);
    this.say("Starting …");
    announce("Starting Python");
    try {
      const python = await theInterpreter();
      const failed = await this.prepare(python);
      this.say("Running …");
      const output = this.newOutput();
      let raised = "";
      const heard = (/** @type {Output} */ told) => {
        show(output, told);
        raised = told.error?.message ?? raised;
      };
      await python.run({ source: this.source, name: this.name, heard });
      const earlier = failed ? ` Earlier cells that failed: ${failed}.` : "";
      this.say(earlier.trim());
      announce((raised ? `The cell failed: ${raised}.` : `Done. ${brief(output)}`) + earlier);
    } catch (error) {
      this.fail(/** @type {Error} */ (error));
    } finally {
      this.setRunning(false);
    }
  }

  /** Run the cells before this one that haven't run; how many of them failed. @param {Interpreter} python */
  async prepare(python) {
    const before = cells.slice(0, cells.indexOf(this)).filter((each) => !python.ran.has(each.name));
    let failed = 0;
    for (const [at, each] of before.entries()) {
      if (python.worker) this.say(`Running the cells before this one: ${at + 1} of ${before.length}`);
      const fine = await python.run({ source: each.source, name: each.name, heard: () => {} });
      failed += fine || each.element.classList.contains("tag_raises-exception") ? 0 : 1;
    }
    return failed;
  }

  /** @param {Error} error */
  fail(error) {
    const stopped = error.message === "stopped";
    this.say(
      stopped ? "Stopped. The next Run begins anew, with the cells before it." : `It can't run: ${error.message}.`,
    );
    announce(this.state?.textContent ?? "");
  }

  /** An empty place for outputs; the published ones are put aside. */
  newOutput() {
    this.element.querySelector(`:scope > .cell_output:not(.np-live)`)?.classList.add(KEPT);
    this.output?.remove();
    this.output = h("div", { class: "cell_output docutils container np-live" });
    this.element.append(this.output);
    return this.output;
  }

  edit() {
    if (!this.editor) {
      const rows = String(this.published.split("\n").length + 1);
      const attributes = { class: "np-run-editor", rows, spellcheck: "false", autocapitalize: "off", wrap: "off" };
      this.editor = h("textarea", { ...attributes, "aria-label": "Python code; Control and Enter run it" });
      this.editor.value = this.published;
      this.editor.addEventListener("keydown", (event) => this.key(event));
      const shown = this.element.querySelector(".cell_input");
      shown?.firstElementChild?.classList.add(KEPT);
      shown?.append(this.editor);
    }
    if (this.resets) this.resets.hidden = false;
    this.editor.focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== "Enter" || event.altKey || !this.editor) return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey || event.shiftKey) {
      if (!this.running) this.press();
      return;
    }
    const { value, selectionStart } = this.editor;
    const line = value.slice(value.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
    const indent = /^ */.exec(line)?.[0] + (line.trimEnd().endsWith(":") ? "    " : "");
    this.editor.setRangeText(`\n${indent}`, selectionStart, this.editor.selectionEnd, "end");
    this.editor.rows = this.editor.value.split("\n").length + 1;
  }

  reset() {
    if (this.running) interpreter?.stop();
    this.output?.remove();
    this.editor?.remove();
    this.output = this.editor = null;
    interpreter?.ran.delete(this.name); // what it defined is as it was published, as soon as a later cell runs
    for (const each of this.element.querySelectorAll(`.${KEPT}`)) each.classList.remove(KEPT);
    this.say("");
    this.runs?.focus();
    if (this.resets) this.resets.hidden = true;
    announce("The published code and output are back");
  }
}

/** Add what a cell tells to its output. @param {HTMLElement} output @param {Output} told */
function show(output, told) {
  if (told.printed !== undefined) {
    const open = output.lastElementChild;
    if (open?.classList.contains("stream")) open.querySelector("pre")?.append(told.printed);
    else output.append(text("stream", told.printed));
  }
  if (told.text !== undefined) output.append(text("text_plain", told.text));
  if (told.html !== undefined) {
    const place = h("div", { class: "output text_html" });
    place.innerHTML = told.html; // netpath's own: cells.py lets no other through
    output.append(place);
  }
  if (told.note) output.append(h("p", { class: "np-run-note" }, told.note));
  if (told.error) output.append(failure(told.error));
}

/** @param {string} kind @param {string} words */
function text(kind, words) {
  const lines = h("div", { class: "highlight" }, h("pre", { tabindex: "0" }, words));
  return h("div", { class: `output ${kind} highlight-myst-ansi notranslate` }, lines);
}

/** @param {import("./interpreter.js").Failure} error */
function failure({ message, line, code, calls }) {
  const place = h("div", { class: "output np-run-error" }, h("p", {}, h("strong", {}, message)));
  if (line) place.append(h("p", {}, `Line ${line} of this cell: `, h("code", {}, code)));
  if (calls)
    place.append(
      h("details", {}, h("summary", {}, "All the calls that led there"), h("pre", { tabindex: "0" }, calls)),
    );
  return place;
}

/** The beginning of an output, to be read aloud. @param {HTMLElement} output */
const brief = (output) => {
  const said = output.querySelector("figcaption") ?? output;
  const words = /** @type {HTMLElement} */ (said).innerText.replace(/\s+/g, " ").trim();
  return words.length > 200 ? `${words.slice(0, 200)} …` : words || "It shows nothing.";
};

// A page that was opened from a file may not start a worker: there, the buttons would only disappoint.
if (location.protocol !== "file:") {
  document.body.append(announcer);
  const found = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".np-runs, .np-runs-quietly"));
  cells.push(...[...found].map((element, at) => new Cell(element, at)));
}
