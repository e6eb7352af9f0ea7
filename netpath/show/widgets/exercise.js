// @ts-check
import { EXAMPLES, read, same } from "./answers.js";
import { button, h, mount, prose, put, refill, unique } from "./kit.js";
import { load, record, whenKept } from "./store.js";

/**
 * @typedef {{because: string, misconception: string, see: {page: string, title: string} | null}} Reason
 * @typedef {{question: string, form: import("./answers.js").Form, options: string[], answer: string, why: string, slips: {answer: string, reason: number}[]}} Variant
 * @typedef {{number: string, head: string, hints: string[], otherwise: string, reasons: Reason[], variants: Variant[]}} Exercise
 */

const SIGNS = { "not attempted": "○", wrong: "✕", "your code raised": "⚠", right: "✓" };

/** A place in the book, and a link to it from another page of it. In Jupyter, a link would lead out of everything.
 * @param {{page: string, title: string}} see */
function place(see) {
  if (document.getElementById("jupyter-config-data")) return see.title;
  const [page, anchor] = see.page.split("#");
  return h("a", { href: `../${page}.html${anchor ? `#${anchor}` : ""}` }, see.title);
}

/** @param {import("./kit.js").Context} context */
function render(context) {
  return mount(context, "exercise", (root, /** @type {Exercise} */ data) => {
    let at = 0;
    let hinted = 0;
    const state = h("span", { class: "np-exercise-state" });
    const question = h("div", { class: "np-exercise-question" });
    const result = h("div", { class: "np-exercise-result", role: "status", "aria-live": "polite" });
    const hints = h("ol", { class: "np-exercise-hints", "aria-live": "polite" });
    const solution = h("details");
    const hint = button("Hint", nextHint);
    const bar = h("div", { class: "np-bar" });
    put(bar, button("Check", check, { class: "np-main" }), hint, button("Another", another));
    put(
      root,
      h("p", { class: "np-exercise-head" }, h("b", {}, data.head), " ", state),
      question,
      bar,
      result,
      hints,
      solution,
    );

    /** @type {() => string} */
    let given = () => "";
    const now = () => data.variants[at];
    const code = () => `${data.number}-${String(at + 1).padStart(2, "0")}`;

    /** @param {import("./store.js").State} name */
    const mark = (name) => refill(state, `${SIGNS[name]} ${name}`);

    function ask() {
      refill(question, prose(now().question), now().form === "choice" ? options() : line());
      put(question, h("p", { class: "np-exercise-code" }, `Variant ${code()}`));
      refill(result);
      refill(hints);
      hinted = 0;
      refill(hint, `Hint (${data.hints.length})`);
      refill(solution, h("summary", {}, "Solution"), prose(`${now().answer}\n\n${now().why}`));
      solution.open = false;
    }

    function options() {
      const name = unique("options");
      const choices = now().options.map((text) => {
        const input = h("input", { type: "radio", name, value: text });
        return h("label", { class: "np-exercise-option" }, input, prose(text));
      });
      given = () => choices.map((label) => label.querySelector("input")).find((input) => input?.checked)?.value ?? "";
      return h("fieldset", {}, h("legend", { class: "np-hidden" }, `Choose an answer to exercise ${code()}`), choices);
    }

    function line() {
      const input = h("input", { type: "text", spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
      input.placeholder = `like ${EXAMPLES[now().form]}`;
      input.addEventListener("keydown", (event) => event.key === "Enter" && check());
      given = () => input.value;
      return h("label", { class: "np-field np-wide" }, h("span", {}, "Your answer"), input);
    }

    function check() {
      const text = given();
      if (!text.trim()) return tell("not attempted", ["Give an answer first."]);
      const found = read(now().form, text, now().options);
      if ("problem" in found) return tell("wrong", [`Wrong because ${found.problem}.`]);
      if (same(now().form, found.text, now().answer)) {
        tell("right", ["Right. ", prose(now().why)]);
        return keep("right");
      }
      const slip = now().slips.find((each) => same(now().form, found.text, each.answer));
      const reason = slip && data.reasons[slip.reason];
      tell("wrong", [prose(`Wrong because ${reason?.because ?? data.otherwise}`), reason && belief(reason)]);
      return keep("wrong");
    }

    /** @param {Reason} reason */
    function belief({ misconception, see }) {
      const named = misconception && h("p", {}, "Many believe so: ", h("em", {}, misconception));
      return h("div", {}, named, see && h("p", {}, "Read again: ", place(see)));
    }

    /** @param {import("./store.js").State} name @param {import("./kit.js").Child[]} words */
    function tell(name, words) {
      refill(
        result,
        h(
          "div",
          { class: `np-exercise-${name.split(" ")[0]}` },
          h("b", { "aria-hidden": "true" }, `${SIGNS[name]} `),
          ...words,
        ),
      );
    }

    /** @param {import("./store.js").State} name */
    function keep(name) {
      record(data.number, name, at);
      context.model.send({ kind: "judged", state: name, variant: at });
      mark(load()[data.number].state);
    }

    function nextHint() {
      if (hinted < data.hints.length) put(hints, h("li", {}, prose(data.hints[hinted])));
      hinted = Math.min(hinted + 1, data.hints.length);
      refill(hint, `Hint (${hinted} of ${data.hints.length} shown)`);
    }

    function another() {
      at = (at + 1) % data.variants.length;
      record(data.number, "not attempted", at);
      ask();
      question.querySelector("input")?.focus();
    }

    /** Begin where the reader left off. @param {import("./store.js").Entry | null | undefined} kept */
    function recall(kept) {
      at = Math.min(kept?.variant ?? 0, data.variants.length - 1);
      mark(kept?.state ?? "not attempted");
      ask();
    }

    recall(load()[data.number]);
    whenKept(context.model, recall);
  });
}

export default { render };
