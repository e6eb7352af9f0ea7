// @ts-check
import { announcer, button, choice, h, icon, mark, mount, put, refill, s, stepper, table, unique } from "./kit.js";

/**
 * The packet player. `data`: texts; entries, in which a number stands for a text; journeys, whose frames name entries.
 *
 * @typedef {import("./kit.js").Look} Look
 * @typedef {import("./kit.js").Looks} Looks
 * @typedef {[x: number, y: number, leg: number, share: number, number: number, spot: number, entry: number]} Frame
 * @typedef {[number: number, way: "asks" | "out" | "back", connection: number, x: number, y: number, toX: number, toY: number]} Leg
 * @typedef {[space: string, station: string, unreached: number, x: number, y: number, textX: number, textY: number, anchor: string, lines: string[]]} Spot
 * @typedef {[space: string, x: number, y: number, width: number, height: number]} Band
 * @typedef {[first: number, short: string, title: string]} Stage
 * @typedef {{name: string, note: string, request: string, ending: string, fate: string, size: [number, number],
 *   bands: Band[], places: Spot[], legs: Leg[], frames: Frame[], stages: Stage[]}} Journey
 * @typedef {{title: string, at: string, code: string | null, fate: string | null, rows: [string, [string, string][]][],
 *   asked: [string, string, string, string][], says: string}} Entry
 * @typedef {{texts: string[], entries: any[], journeys: Journey[], compare: boolean}} Data
 */

const NOBODY = "nothing";
const LEGEND =
  "The buttons lead to the name's look-up and to each connection, by number: → its way out, ← its way back. The packet's own number is its form: a new one wherever an address was rewritten or a connection begins. Each step is one decision, about all the packets that go that way. Solid lines lead out, dashed lines back.";

/** @param {HTMLElement} root @param {Data} data @param {Looks} looks */
function draw(root, data, looks) {
  const { journeys } = data;
  const names = /** @type {[string, string][]} */ (journeys.map((each, at) => [String(at), each.name]));
  const pair = [0, data.compare ? 1 : -1];
  let matching = true;
  let at = 0;
  const panes = [0, 1].map(() => pane(data, looks));
  const stages = h("div", { class: "np-stages", role: "group", "aria-label": "Go to a part of the journey" });
  const { element: region, say } = announcer();
  const list = h("ol");
  const steps = h("details", { class: "np-steps" }, h("summary", {}, "All steps"), list);
  const lead = () => journeys[pair[0]];
  const step = stepper({
    count: lead().frames.length,
    label: "Step of the journey",
    text: (index) => entry(data, lead(), index).says,
    show,
    pause: 1600,
    keys: root,
  });

  /** @param {number} index */
  function show(index) {
    at = index;
    const other = pair[1] < 0 ? -1 : matching ? match(data, lead(), journeys[pair[1]], index) : index;
    panes[0].show(lead(), index);
    panes[1].show(pair[1] < 0 ? null : journeys[pair[1]], other);
    if (pair[1] >= 0) differ(panes[0].element, panes[1].element);
    markCurrent();
    say(told(index, other));
  }

  /** @param {number} index @param {number} other */
  function told(index, other) {
    const count = lead().frames.length;
    const first = `${index + 1} of ${count}: ${entry(data, lead(), index).says}`;
    if (pair[1] < 0) return first;
    const second = journeys[pair[1]];
    return `${lead().name}, ${first} ${second.name}: ${entry(data, second, Math.min(other, second.frames.length - 1)).says}`;
  }

  function markCurrent() {
    const stage = stageOf(lead(), at);
    [...stages.children].forEach((each, number) => current(each, number === stage && "true"));
    [...list.children].forEach((each, number) => current(each.children[0], number === at && "step"));
    const item = /** @type {HTMLElement | undefined} */ (list.children[at]);
    if (item) list.scrollTop = item.offsetTop - list.offsetTop - list.clientHeight / 2;
  }

  /** Another journey: its parts and its steps, and where to begin. @param {number} [first] */
  function begin(first = 0) {
    const { frames, stages: parts } = lead();
    refill(
      stages,
      parts.map(([start, short, title], number) => {
        const length = (parts[number + 1]?.[0] ?? frames.length) - start;
        return button(brief(short), () => step.go(start), { style: `flex-grow:${length}`, title, "aria-label": title });
      }),
    );
    refill(
      list,
      frames.map((_, index) =>
        h(
          "li",
          {},
          button(entry(data, lead(), index).says, () => step.go(index)),
        ),
      ),
    );
    refill(/** @type {Element} */ (steps.firstElementChild), `All ${frames.length} steps`);
    root.classList.toggle("np-two", pair[1] >= 0);
    by.hidden = pair[1] < 0;
    step.resize(frames.length, first);
  }

  const by = choice(
    "In step by",
    [
      ["match", "matching boxes"],
      ["number", "number of steps"],
    ],
    (value) => {
      matching = value === "match";
      show(at);
    },
  );
  const bar = h("div", { class: "np-bar" });
  if (journeys.length > 1) {
    const chosen = (/** @type {number} */ which) => (/** @type {string} */ value) => {
      pair[which] = Number(value);
      begin(which ? at : 0);
    };
    const others = /** @type {[string, string][]} */ ([["-1", NOBODY], ...names]);
    put(bar, choice("Journey", names, chosen(0), "0"), choice("Compare with", others, chosen(1), String(pair[1])), by);
  }
  put(root, bar, h("div", { class: "np-panes" }, ...panes.map((each) => each.element)));
  put(
    root,
    h("div", { class: "np-controls" }, region, stages, step.element),
    steps,
    h("p", { class: "np-note" }, LEGEND),
  );
  begin();
  return step.stop;
}

/** A part's name in a few letters: the connection's number, and which way. @param {string} short */
const brief = (short) => short.replace(/^(\d+) out$/, "$1→").replace(/^(\d+) back$/, "←$1");

/** @param {Element} element @param {string | false} value */
function current(element, value) {
  if (value) element.setAttribute("aria-current", value);
  else element.removeAttribute("aria-current");
}

/** An entry with its texts. @param {Data} data @param {Journey} journey @param {number} index @returns {Entry} */
function entry({ texts, entries }, journey, index) {
  /** @param {any} value @returns {any} */
  const unpack = (value) => (Array.isArray(value) ? value.map(unpack) : value === null ? null : texts[value]);
  const [title, at, code, fate, rows, asked, says] = unpack(entries[journey.frames[index][6]]);
  return { title, at, code, fate, rows, asked, says };
}

/** @param {Journey} journey @param {number} index */
const stageOf = (journey, index) => journey.stages.filter(([first]) => first <= index).length - 1;

/** The frame of another journey that stands for one of this: in the same part, at a box of the same kind, the same
 * time round; where there is none, the one for the frame before.
 * @param {Data} data @param {Journey} mine @param {Journey} other @param {number} index
 */
function match(data, mine, other, index) {
  if (index === mine.frames.length - 1) return other.frames.length - 1;
  const theirs = stations(data, other);
  const found = stations(data, mine)
    .slice(0, index + 1)
    .reverse()
    .find((key) => theirs.includes(key));
  return found === undefined ? 0 : theirs.indexOf(found);
}

/** What each frame is known by: part, kind of box, and how often that was met in that part before.
 * @param {Data} data @param {Journey} journey
 */
function stations(data, journey) {
  /** @type {Map<string, number>} */
  const met = new Map();
  return journey.frames.map((_, index) => {
    const key = `${journey.stages[stageOf(journey, index)][1]} ${entry(data, journey, index).title}`;
    met.set(key, (met.get(key) ?? 0) + 1);
    return `${key} ${met.get(key)}`;
  });
}

/** Mark the rows that are not the same in two entries. @param {Element} one @param {Element} other */
function differ(one, other) {
  const rows = (/** @type {Element} */ pane) =>
    new Map([...pane.querySelectorAll("dt")].map((name) => [name.textContent, name]));
  const [mine, theirs] = [rows(one), rows(other)];
  const unlike = [...mine.keys(), ...theirs.keys()].filter(
    (name) => mine.get(name)?.nextElementSibling?.textContent !== theirs.get(name)?.nextElementSibling?.textContent,
  );
  for (const name of new Set(unlike))
    for (const row of [mine.get(name), theirs.get(name)]) if (row) put(row, h("span", { title: "not the same" }, " ≠"));
}

/** One journey's map, and the ledger's entry beside it. @param {Data} data @param {Looks} looks */
function pane(data, looks) {
  const note = h("p", { class: "np-note" });
  const chart = h("div", { class: "np-chart" });
  const told = h("div", { class: "np-entry", role: "group", "aria-label": "The ledger's entry", tabindex: 0 });
  const element = h("div", { class: "np-pane", role: "group" }, note, chart, told);
  /** @type {Journey | null} */
  let drawn = null;
  /** @type {(index: number, ends: (Look | null | undefined)[]) => void} */
  let place = () => {};
  let open = false;
  /** @type {(Look | null | undefined)[]} by frame, what became of a packet that was stopped there */
  let ends = [];

  /** @param {Journey | null} journey @param {number} index */
  function show(journey, index) {
    element.hidden = journey === null;
    if (!journey) return;
    if (drawn !== journey) {
      const fates = journey.frames.map((_, each) => entry(data, journey, each).fate);
      ends = fates.map((fate) => (fate === "passed" ? null : looks.fates[fate ?? ""]));
      place = map(chart, journey, looks);
      refill(
        note,
        h("b", {}, journey.name),
        `: ${journey.note ? `${journey.note} ` : ""}${journey.request} → `,
        icon(looks.fates[journey.fate]),
        `${journey.ending}.`,
      );
      element.setAttribute("aria-label", journey.name);
    }
    drawn = journey;
    const last = Math.min(index, journey.frames.length - 1);
    const is = entry(data, journey, last);
    place(last, ends);
    const [, , title] = journey.stages[stageOf(journey, last)];
    refill(told, ledger(is, title, looks));
    const asked = told.querySelector("details");
    if (asked) {
      asked.open = open;
      asked.addEventListener("toggle", () => (open = asked.open));
    }
  }
  return { element, show };
}

/** One entry of the ledger. @param {Entry} entry @param {string} stage @param {Looks} looks */
function ledger({ title, at, code, fate, rows, asked }, stage, looks) {
  const line = (/** @type {[string, string]} */ [face, text]) =>
    h("div", {}, h(/** @type {"span"} */ (face), {}, text));
  return [
    h("p", { class: "np-stage" }, stage),
    h("p", { class: "np-title" }, h("b", {}, title), " ", at === title ? "" : at),
    code && fate && h("p", { class: "np-verdict" }, icon(looks.fates[fate]), h("b", {}, code), ` ${fate}`),
    h("dl", {}, ...rows.flatMap(([name, lines]) => [h("dt", {}, name), h("dd", {}, ...lines.map(line))])),
    asked.length > 0 &&
      h(
        "details",
        {},
        h("summary", {}, asked.length === 1 ? "The rule asked" : `The ${asked.length} rules asked`),
        table(
          ["where", "rule", "why"],
          asked.map(([where, rule, why, matched]) => [where, h("code", {}, rule), `${matched ? "✓" : "–"} ${why}`]),
        ),
      ),
  ];
}

/** Draw a journey's map; gives a function that puts the packet where it is in a frame.
 * @param {HTMLElement} chart @param {Journey} journey @param {Looks} looks
 */
function map(chart, journey, looks) {
  const { legs, frames, places, size } = journey;
  const head = unique("head");
  const arrow = s(
    "marker",
    { id: head, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 5, markerHeight: 5, orient: "auto" },
    s("path", { d: "M0 0L8 4L0 8z", class: "np-head" }),
  );
  const lines = legs.map(([, way]) => s("line", { class: `np-leg np-${way}` }));
  const ring = s("circle", { r: 15, class: "np-ring" });
  const number = s("text", { y: 3.6 });
  const stops = s("g");
  const packet = s("g", { class: "np-packet" }, s("circle", { r: 10 }), number);
  refill(
    chart,
    s(
      "svg",
      { viewBox: `0 0 ${size.join(" ")}`, role: "img", "aria-label": `Map of ${journey.name}` },
      s("defs", {}, arrow),
      ...journey.bands.map((each) => band(each, looks)),
      ...lines,
      ring,
      ...places.flatMap((each) => spot(each, looks)),
      stops,
      packet,
    ),
  );

  // How far the packet came on each leg: one on which it was stopped ends there.
  const reach = legs.map((_, leg) => {
    const shares = frames.filter((each) => each[2] === leg).map((each) => each[3]);
    return shares.length ? Math.max(...shares) : 1;
  });
  /** @param {number} index @param {(Look | null | undefined)[]} ends what stopped a packet, by frame, as far as it did */
  return (index, ends) => {
    const [x, y, leg, share, form, at] = frames[index];
    const now = legs[leg]?.[2];
    legs.forEach(([, way, connection, x1, y1, x2, y2], order) => {
      const part = order < leg ? reach[order] : order === leg ? share : 0;
      const line = { x1, y1, x2: x1 + (x2 - x1) * part, y2: y1 + (y2 - y1) * part };
      for (const [name, value] of Object.entries(line)) lines[order].setAttribute(name, String(value));
      lines[order].style.display = part ? "" : "none";
      lines[order].classList.toggle("np-past", connection !== now);
      lines[order].setAttribute("marker-end", part === 1 && way !== "asks" ? `url(#${head})` : "none");
    });
    const [dx, dy] = beside(frames[index]);
    packet.style.transform = `translate(${x + dx}px, ${y + dy}px)`;
    packet.style.display = leg < 0 && at < 0 ? "none" : "";
    number.textContent = form ? String(form) : "";
    ring.style.display = at < 0 ? "none" : "";
    if (at >= 0) ring.style.transform = `translate(${places[at][3]}px, ${places[at][4]}px)`;
    refill(
      stops,
      ends.slice(0, index + 1).flatMap((look, frame) => {
        const [stopX, stopY, , , , spotted] = frames[frame];
        return look ? [mark(look, stopX + (spotted < 0 ? 0 : -28), stopY + (spotted < 0 ? 0 : -10), 8)] : [];
      }),
    );
  };
}

/** Where the packet's badge is: on its way, or beside the shape of the place that it is at. @param {Frame} frame */
const beside = ([, , , , , at]) => (at < 0 ? [0, 0] : [-12, -12]);

/** A band, its title where no line runs: at the right, but for the two at the top. @param {Band} band @param {Looks} looks */
function band([space, x, y, width, height], looks) {
  const look = looks.spaces[space];
  const style = { fill: look.colour, stroke: look.colour, "fill-opacity": space === "VPC, private subnets" ? 0 : 0.1 };
  const right = width > 300;
  const at = right ? x + width - 12 : x + 12;
  const title = { x: right ? at - 9 : at + 8, y: y + 16, "text-anchor": right ? "end" : "start", class: "np-space" };
  return s(
    "g",
    {},
    s("rect", { x, y, width, height, rx: 6, ...style }),
    mark(look, at, y + 12, 4.5),
    s("text", title, space),
  );
}

/** @param {Spot} spot @param {Looks} looks */
function spot([space, station, unreached, x, y, textX, textY, anchor, lines], looks) {
  const door = s("rect", { x: x - 20, y: y - 6, width: 40, height: 12, rx: 3, class: "np-door" });
  const shape = station === "internet gateway" ? door : mark(looks.spaces[space], x, y, 9, { hollow: unreached > 0 });
  const name = s(
    "text",
    { "text-anchor": anchor, class: "np-name" },
    ...lines.map((line, at) =>
      s("tspan", { x: textX, y: textY + 12 * at, class: /^\d/.test(line) && "np-address" }, line),
    ),
  );
  return [shape, name];
}

export default { render: (/** @type {import("./kit.js").Context} */ context) => mount(context, "player", draw) };
