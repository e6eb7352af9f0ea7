// @ts-check
/** kube-proxy's chains: a packet falls through them rule by rule; what may be chosen has all been walked beforehand. */

import { announcer, button, choice, h, icon, mount, put, refill, stepper } from "./kit.js";

/** A step: block and rule (1 is a chain's first), whether it matched, then texts: why, stage, the packet after it.
 * @typedef {[number, number, number, number, number, number]} Step
 * @typedef {{came: number, went: number, to: number, at: number, factors: number, fate: string, said: number,
 *   blocks: number[], steps: Step[]}} Walk
 * @typedef {{texts: string[], controls: {name: string, options: string[], start: number}[],
 *   states: [number, number][][], blocks: number[][], walks: Walk[]}} Data
 */

/** What a chain is for, by the beginning of its name. @type {[string, string][]} */
const GLOSSES = [
  ["nat KUBE-SERVICES", "every new flow comes by here"],
  ["nat KUBE-NODEPORTS", "whose port is it?"],
  ["nat KUBE-EXT-", "traffic from outside"],
  ["nat KUBE-SVC-", "draws lots among all endpoints"],
  ["nat KUBE-SVL-", "draws lots among this node's endpoints"],
  ["nat KUBE-SEP-", "one endpoint"],
  ["nat KUBE-MARK-MASQ", "“rewrite the source later”"],
  ["nat KUBE-POSTROUTING", "rewrites the source of what is marked"],
  ["filter KUBE-FORWARD", "lets through what is marked or known"],
  ["filter KUBE-", "refuses what has no endpoint"],
];
const COMMENT = /-m comment --comment ("[^"]*"|\S+) ?/;

/** @param {HTMLElement} root @param {Data} data @param {import("./kit.js").Looks} looks */
function draw(root, data, looks) {
  const text = (/** @type {number} */ number) => data.texts[number];
  const chosen = data.controls.map((control) => control.start);
  let lots = data.states[0];
  let lot = 0;
  /** @type {Walk} */
  let walk;
  /** @type {HTMLElement[][]} */
  let rows = [];
  /** @type {HTMLElement[]} */
  let parts = [];

  const bar = h("div", { class: "np-bar", role: "group", "aria-label": "What to send, and to what" });
  const lotGroup = h("div", { class: "np-lots", role: "group", "aria-label": "Which lot is drawn" });
  const now = h("p", { class: "np-now" });
  const well = h("div", { class: "np-well", tabindex: "0", role: "group", "aria-label": "Chains and rules" });
  const said = announcer();
  const steps = stepper({ count: 1, label: "Rule by rule", show, text: told, pause: 900, keys: root });

  data.controls.forEach((control, at) => {
    const options = control.options.map((name, value) => /** @type {[string, string]} */ ([String(value), name]));
    const change = (/** @type {string} */ value) => {
      chosen[at] = Number(value);
      restart();
    };
    put(bar, choice(control.name, options, change, String(control.start)));
  });
  put(root, bar, lotGroup, steps.element, now, said.element, well);

  /** Another combination: its lots, and the first of them. */
  function restart() {
    const index = data.controls.reduce((sum, control, at) => sum * control.options.length + chosen[at], 0);
    lots = data.states[index];
    const ends = lots.length > 1 ? `${lots.length} lots` : "no lot to draw";
    refill(lotGroup, h("span", {}, `What may become of it (${ends}): `), lots.map(offer));
    pick(0);
  }

  /** A lot as a button. @param {[number, number]} entry @param {number} at */
  function offer([number, share], at) {
    const { to, factors, fate } = data.walks[number];
    const product = text(factors);
    const sum = !product || product === text(share) ? "" : `${product} = `;
    const face = [icon(looks.fates[fate]), h("code", {}, text(to)), ` ${sum}`, h("b", {}, text(share))];
    const made = button(null, () => pick(at, true), { "aria-pressed": "false", class: "np-lot" });
    put(made, ...face, h("span", { class: "np-share", style: `width:${100 * value(text(share))}%` }));
    return made;
  }

  /** Another lot. @param {number} at @param {boolean} [chosenNow] */
  function pick(at, chosenNow = false) {
    lot = at;
    walk = data.walks[lots[lot][0]];
    lotGroup.querySelectorAll("button").forEach((each, number) => {
      each.setAttribute("aria-pressed", String(number === lot));
    });
    lay();
    steps.resize(walk.steps.length + 1, chosenNow ? walk.steps.length : 0);
  }

  /** The chains of this walk, each with all its rules. */
  function lay() {
    let stage = -1;
    rows = [];
    parts = walk.blocks.map((block, at) => {
      const [name, ...rules] = data.blocks[block];
      const first = walk.steps.find((step) => step[0] === at);
      const head = first && first[4] !== stage && h("p", { class: "np-stage" }, text(first[4]));
      stage = first ? first[4] : stage;
      rows.push(rules.map((rule) => line(text(rule))));
      const gloss = GLOSSES.find(([start]) => text(name).startsWith(start))?.[1] ?? "";
      return h(
        "div",
        {},
        head,
        h("p", { class: "np-chain" }, h("code", {}, text(name)), " ", gloss),
        h("ol", {}, rows[at]),
      );
    });
    refill(well, parts);
  }

  /** A rule without the name of its chain, which stands above it; its comment dim. @param {string} rule */
  function line(rule) {
    const own = rule.replace(/^-A \S+ /, "");
    const comment = COMMENT.exec(own);
    const [before, after] = comment
      ? [own.slice(0, comment.index), own.slice(comment.index + comment[0].length)]
      : [own, ""];
    const dim = comment && h("span", { class: "np-comment" }, comment[0]);
    return h(
      "li",
      {},
      h("span", { class: "np-tick" }),
      h("code", {}, before, dim, after),
      h("span", { class: "np-why" }),
    );
  }

  /** Everything as it is after so many rules. @param {number} index */
  function show(index) {
    const reached = walk.steps[Math.min(index, walk.steps.length - 1)]?.[0] ?? 0;
    const seen = new Set(walk.steps.slice(0, index).map((step) => step[0])).add(reached);
    parts.forEach((part, at) => {
      part.hidden = !seen.has(at);
    });
    rows.flat().forEach((row) => mark(row, "unasked", "·", "", false));
    walk.steps.slice(0, index).forEach(([block, rule, matched, why], at) => {
      const row = rows[block][rule - 1];
      if (row) mark(row, matched ? "matched" : "not", matched ? "✓" : "–", text(why), at === index - 1);
    });
    const packet = index ? text(walk.steps[index - 1][5]) : text(walk.came);
    refill(now, `at ${text(walk.at)}: `, h("code", {}, packet));
    said.say(index === walk.steps.length ? `${told(index)} ${ending()}` : told(index));
    scroll(index);
  }

  /** @param {HTMLElement} row @param {string} state @param {string} sign @param {string} why @param {boolean} here */
  function mark(row, state, sign, why, here) {
    row.className = `np-rule np-${state}`;
    row.toggleAttribute("aria-current", here);
    if (here) row.setAttribute("aria-current", "step");
    refill(/** @type {Element} */ (row.firstChild), sign);
    refill(/** @type {Element} */ (row.lastChild), why);
  }

  /** Keep the rule in view, and leave the page where it is. @param {number} index */
  function scroll(index) {
    const step = walk.steps[index - 1];
    const row = step && rows[step[0]][step[1] - 1];
    well.scrollTop = row ? row.offsetTop - well.clientHeight / 2 : 0;
  }

  /** @param {number} index */
  function told(index) {
    if (!walk) return "";
    if (!index) return `A packet, ${text(walk.came)}, and no rule asked yet.`;
    const [block, rule, matched, why] = walk.steps[index - 1];
    const [name, ...rules] = data.blocks[walk.blocks[block]];
    return `${text(name)}, rule ${rule} of ${rules.length} ${matched ? "matches" : "doesn't match"}: ${text(why)}.`;
  }

  function ending() {
    return walk.went < 0 ? `The packet ends here. ${text(walk.said)}` : `It leaves as ${text(walk.went)}.`;
  }

  restart();
  return () => steps.stop();
}

/** A fraction's value. @param {string} share */
function value(share) {
  const [part, whole] = share.split("/").map(Number);
  return whole ? part / whole : part;
}

export default {
  /** @param {import("./kit.js").Context} context */
  render(context) {
    return mount(context, "chains", draw);
  },
};
