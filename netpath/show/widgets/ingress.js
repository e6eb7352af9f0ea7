// @ts-check
/**
 * Type a host and a path: every candidate and why it won or lost, by the specification and by ingress-nginx.
 * The matching is `ingress_match.js`; here is only what a reader sees and touches.
 */
import { announcer, button, choice, code, field, h, icon, mount, put, refill } from "./kit.js";
import { BeyondThisPage, compare } from "./ingress_match.js";

/** @typedef {import("./ingress_match.js").Told} Told
 * @typedef {{name: string, note: string, chips: [string, string][], data: import("./ingress_match.js").Data}} Example
 * @typedef {{examples: Example[], host: string, path: string}} Data
 */

const PAUSE = 400; // milliseconds after the last key, before a screen reader is told

/** @param {HTMLElement} root @param {Data} data @param {import("./kit.js").Looks} looks */
function draw(root, data, looks) {
  let example = data.examples[0];
  let timer = 0;
  let { host, path } = data;
  const said = announcer();
  const note = h("p", { class: "np-note" });
  const chips = h("div", { class: "np-chips", role: "group", "aria-label": "Hosts and paths worth a try" });
  const headline = h("p", { class: "np-headline" });
  const because = h("ul", { class: "np-because" });
  const columns = h("div", { class: "np-columns" });
  const fields = {
    host: field("Host", host, (value) => ask(value, path)),
    path: field("Path", path, (value) => ask(host, value)),
  };
  const names = data.examples.map((each, at) => /** @type {[string, string]} */ ([String(at), each.name]));
  const chosen = choice("Ingresses", names, (value) => pick(data.examples[Number(value)]));
  const bars = [h("div", { class: "np-bar" }, chosen), note, h("div", { class: "np-bar" }, fields.host, fields.path)];
  put(root, bars, chips, headline, because, columns, said.element);

  /** Other Ingresses. @param {Example} next */
  function pick(next) {
    example = next;
    refill(note, next.note);
    const start = next.chips.find(([had, asked]) => had === host && asked === path) ?? next.chips[0] ?? [host, path];
    refill(chips, "Try: ", ...next.chips.map(chip));
    type(start[0], start[1]);
  }

  /** @param {[string, string]} question */
  function chip([to, asked]) {
    const face = code(to === "shop.example.com" ? asked : `${to}${asked}`);
    return button(face, () => type(to, asked), { "data-asks": `${to} ${asked}` });
  }

  /** Fill in the fields and ask. @param {string} to @param {string} asked */
  function type(to, asked) {
    for (const [label, value] of /** @type {const} */ ([
      [fields.host, to],
      [fields.path, asked],
    ])) {
      const input = label.querySelector("input");
      if (input) input.value = value;
    }
    ask(to, asked);
  }

  /** @param {string} to @param {string} asked */
  function ask(to, asked) {
    [host, path] = [to, asked];
    for (const each of chips.querySelectorAll("button"))
      each.setAttribute("aria-pressed", String(each.dataset.asks === `${host} ${path}`));
    try {
      show(compare(example.data, host, path));
    } catch (error) {
      if (!(error instanceof BeyondThisPage)) throw error;
      beyond(error.message);
    }
  }

  /** @param {string} pattern */
  function beyond(pattern) {
    const words = [
      "A regular expression of these Ingresses is beyond this page: ",
      code(pattern),
      ". netpath itself answers.",
    ];
    refill(headline, icon(looks.fates.failed), ...words);
    refill(because);
    refill(columns);
    tell("This page can't answer.");
  }

  /** @param {ReturnType<typeof compare>} answers */
  function show({ target, specification, nginx, differ }) {
    const agree = !differ.length;
    const verdict = agree ? "They agree." : "They differ.";
    const asked = h("span", {}, " ", code(`GET ${clipped(target)}`), " to ");
    refill(
      headline,
      icon(agree ? looks.fates.passed : looks.fates.failed),
      h("b", {}, verdict),
      asked,
      code(clipped(host) || "(no host)"),
    );
    refill(because, ...differ.map((reason) => h("li", {}, `${reason}.`)));
    refill(
      columns,
      column("By the specification", specification, target),
      column("As ingress-nginx does it", nginx, target),
    );
    const [one, other] = [specification, nginx].map((told) => ending(told, target).join(""));
    tell(`${verdict} By the specification: ${one} With ingress-nginx: ${other}`);
  }

  /** @param {string} title @param {Told} told @param {string} sent */
  function column(title, told, sent) {
    const steps = told.steps.map(([rule, matched, why, at]) => {
      const sign = h("span", { class: "np-sign", "aria-hidden": "true" }, matched ? "✓" : "✕");
      const word = h("span", { class: "np-unseen" }, matched ? "Yes: " : "No: ");
      const where = at ? h("span", { class: "np-at" }, ` (${at})`) : null;
      return h(
        "li",
        { class: matched ? "np-won" : "np-lost" },
        sign,
        word,
        code(rule),
        where,
        h("span", { class: "np-why" }, why),
      );
    });
    const [word, rest] = ending(told, sent);
    const notes = told.notes.map((each) => h("p", { class: "np-note" }, `Note: ${each}.`));
    const end = h("p", { class: "np-ending" }, h("b", {}, word), rest);
    return h(
      "div",
      { role: "group", "aria-label": title },
      h("p", { class: "np-title" }, title),
      end,
      h("ol", {}, steps),
      notes,
    );
  }

  /** Say what came of it once the reader stops typing. @param {string} text */
  function tell(text) {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => said.say(text), PAUSE);
  }

  pick(example);
  type(data.host, data.path);
  return () => window.clearTimeout(timer);
}

/** What becomes of the request: in a word, and the rest. @param {Told} told @param {string} sent @returns {[string, string]} */
function ending({ status, location, backend, endpoints, target, uri }, sent) {
  if (location) return [`Answers ${status}`, `: go to ${location}.`];
  if (status === 503 && backend) return ["Answers 503", `: Service ${backend} has no ready pod.`];
  if (status) return [`Answers ${status}`, "."];
  const pods = endpoints.length === 1 ? "its one ready pod" : `one of its ${endpoints.length} ready pods`;
  const chosen = endpoints.length ? `${pods} (${listed(endpoints)})` : "no pod, for none is ready";
  const untouched = target && target.split("?")[0] !== uri ? ", with the path as it came" : "";
  return [`To Service ${backend}`, `: ${chosen}${target && target !== sent ? `, rewritten to ${target}` : untouched}.`];
}

/** @param {string} text */
const clipped = (text) => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

/** @param {string[]} texts */
const listed = (texts) => (texts.length > 4 ? `${texts.slice(0, 4).join(", ")} …` : texts.join(", "));

export default {
  /** @param {import("./kit.js").Context} context */
  render(context) {
    return mount(context, "ingress", draw);
  },
};
