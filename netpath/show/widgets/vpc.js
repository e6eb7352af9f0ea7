// @ts-check
/**
 * The VPC: rules to switch off, and the doors on a packet's way and on its answer's. Which way it is follows from the
 * packet's tree (see vpc.py): from the root on, to the first branch all of whose rules are off.
 */
import { announcer, button, code, h, icon, mount, refill } from "./kit.js";

/**
 * @typedef {{kind: string, owner: string, rule: string, text: string}} Switch
 * @typedef {{station: string, at: string, code: string, rule: string, by: string, received: string | null, sent: string | null}} Hop
 * @typedef {{out: number[], back: number[] | null, end: string, says: string}} Way
 * @typedef {{way: number, next: [number[], number][]}} Node
 * @typedef {{switches: Switch[], order: number[], packets: {name: string, ends: string, nodes: Node[]}[],
 *   ways: Way[], hops: Hop[], codes: Record<string, [string, string, string]>}} Data
 */

/** The way of a packet without some rules. @param {Data} data @param {number} packet @param {Set<number>} gone @returns {Way} */
export function wayWithout(data, packet, gone) {
  const { nodes } = data.packets[packet];
  let node = nodes[0];
  for (;;) {
    const branch = node.next.find(([rules]) => rules.every((rule) => gone.has(rule)));
    if (!branch) return data.ways[node.way];
    node = nodes[branch[1]];
  }
}

/** @param {HTMLElement} root @param {Data} data @param {import("./kit.js").Looks} looks */
function draw(root, data, looks) {
  const gone = /** @type {Set<number>} */ (new Set());
  const boxes = /** @type {Map<number, {input: HTMLInputElement, tag: HTMLElement}>} */ (new Map());
  const verdict = announcer();
  verdict.element.classList.add("vpc-verdict");
  const out = h("ol", { class: "vpc-doors" });
  const back = h("ol", { class: "vpc-doors" });
  const why = h("div", { class: "vpc-why" });
  let packet = 0;

  const look = (/** @type {string} */ name) => looks.fates[data.codes[name][0]];
  const passed = (/** @type {Hop} */ hop) => data.codes[hop.code][0] === "passed";

  const choices = data.packets.map((each, at) => button(each.name, () => choose(at), { class: "vpc-packet" }));
  const ends = h("p", { class: "vpc-ends" });
  const whole = button("All rules back", restore, { class: "vpc-whole" });

  root.append(
    h("div", { class: "np-bar", role: "group", "aria-label": "The packet" }, choices.length > 1 ? choices : []),
    ends,
    verdict.element,
    h(
      "div",
      { class: "vpc-grid" },
      h("div", { class: "vpc-rules" }, ...panel(), h("div", { class: "np-bar" }, whole)),
      h(
        "div",
        { class: "vpc-ways" },
        h(
          "div",
          { role: "group", "aria-label": "The packet's way" },
          h("p", { class: "vpc-title" }, "The packet"),
          out,
        ),
        h(
          "div",
          { role: "group", "aria-label": "Its answer's way" },
          h("p", { class: "vpc-title" }, "Its answer"),
          back,
        ),
        why,
      ),
    ),
  );

  /** A fieldset for each table, group and ACL, with a box for each of its rules. */
  function panel() {
    const owners = /** @type {Map<string, HTMLElement>} */ (new Map());
    for (const number of data.order) {
      const { kind, owner, rule, text } = data.switches[number];
      const whose = text.split(" ")[0];
      const set = owners.get(whose) ?? h("fieldset", {}, h("legend", {}, `${kind} `, code(owner)));
      owners.set(whose, set);
      const input = h("input", { type: "checkbox", checked: true, onchange: () => flip(number) });
      const tag = h("span", { class: "vpc-tag" });
      boxes.set(number, { input, tag });
      set.append(h("label", { class: "np-toggle" }, input, h("span", {}, code(rule), " ", tag)));
    }
    return [...owners.values()];
  }

  /** @param {number} number */
  function flip(number) {
    if (!gone.delete(number)) gone.add(number);
    show();
  }

  function restore() {
    gone.clear();
    for (const { input } of boxes.values()) input.checked = true;
    show();
  }

  /** @param {number} at */
  function choose(at) {
    packet = at;
    show();
  }

  function show() {
    const way = wayWithout(data, packet, gone);
    const [going, coming] = [way.out.map((at) => data.hops[at]), (way.back ?? []).map((at) => data.hops[at])];
    choices.forEach((each, at) => each.setAttribute("aria-pressed", String(at === packet)));
    refill(ends, code(data.packets[packet].ends));
    const bad = [...going, ...coming].find((hop) => !passed(hop));
    refill(verdict.element, icon(looks.fates[bad ? data.codes[bad.code][0] : "passed"]), " ", way.says);
    verdict.element.style.borderColor = looks.fates[bad ? data.codes[bad.code][0] : "passed"].colour;
    list(out, going, 0);
    list(back, coming, 1);
    refill(why, ...reasons(bad));
    tags(new Set([...going, ...coming].map((hop) => hop.by)));
    whole.setAttribute("aria-disabled", String(!gone.size));
  }

  /** Doors in the order of travel, then those that the packet would have come to, had nothing stopped it.
   * @param {HTMLElement} element @param {Hop[]} hops @param {number} answer
   */
  function list(element, hops, answer) {
    const full = data.ways[data.packets[packet].nodes[0].way];
    const all = (answer ? (full.back ?? []) : full.out).map((at) => data.hops[at]);
    const stopped = !hops.length || !passed(hops[hops.length - 1]);
    const missed = stopped ? all.slice(hops.length) : [];
    refill(element, ...hops.map((hop, at) => door(hop, hops[at - 1])), ...missed.map(unreached));
  }

  /** @param {Hop} hop @param {Hop | undefined} before */
  function door(hop, before) {
    const stop = !passed(hop);
    return h(
      "li",
      { class: `vpc-door${stop ? " vpc-stop" : ""}`, style: stop && `border-color:${look(hop.code).colour}` },
      !before && hop.received !== null && packetIs(hop.received),
      h("div", {}, icon(look(hop.code)), h("b", {}, hop.station), " ", h("span", { class: "vpc-code" }, hop.code)),
      h("div", { class: "vpc-at" }, code(hop.at)),
      hop.rule && h("div", { class: "vpc-rule" }, code(hop.rule)),
      hop.sent !== null && hop.sent !== hop.received && packetIs(hop.sent),
    );
  }

  /** A packet's new form; the two ends may stand on two lines. @param {string} text */
  function packetIs(text) {
    const [source, destination] = text.split(" → ");
    return h("div", { class: "vpc-packet-is" }, h("span", {}, code(source), " →"), h("span", {}, code(destination)));
  }

  /** @param {Hop} hop */
  function unreached(hop) {
    const words = h("span", { class: "vpc-code" }, "not reached");
    return h("li", { class: "vpc-door vpc-missed" }, h("div", {}, h("b", {}, hop.station), " ", words), code(hop.at));
  }

  /** Why the packet was stopped, and what one would do. @param {Hop | undefined} bad */
  function reasons(bad) {
    if (!bad) return [];
    const [, happened, remedy] = data.codes[bad.code];
    return [
      h("p", {}, h("b", {}, bad.code), " ", happened),
      bad.by && h("p", {}, "Because of ", code(bad.by)),
      remedy && h("p", {}, h("b", {}, "Remedy: "), remedy),
    ];
  }

  /** Says beside each rule whether it decided about this packet. @param {Set<string>} deciding */
  function tags(deciding) {
    for (const [number, { tag }] of boxes) {
      const words = gone.has(number) ? "off" : deciding.has(data.switches[number].text) ? "decides" : "";
      refill(tag, words);
      tag.dataset.is = words;
    }
  }

  show();
}

/** @param {import("./kit.js").Context} context */
function render(context) {
  return mount(context, "vpc", draw);
}

export default { render };
