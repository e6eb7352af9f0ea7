// @ts-check
/**
 * Two look-ups and a clock: the first look-up's walk over the tree of names, what is remembered of it as time goes by,
 * and the second look-up at whatever second the reader chooses. All of it is in the data (see dns.py).
 */
import { announcer, button, choice, code, h, mark, mount, refill, s, stepper, table } from "./kit.js";

/**
 * @typedef {{owner: string, ttl: number | {until: number}, type: string, data: string, why?: string}} Rec
 * @typedef {{at: string, says: string, node?: string, code?: string, server?: string,
 *   asks?: {question: string, flags: string}, reply?: {status: string, flags: string}, sections?: Record<string, Rec[]>}} Step
 * @typedef {{name: string, lines: string[], above: number, at: [number, number], zone: boolean}} Place
 * @typedef {{who: string, what: string, data: string[], until: number, how?: string}} Kept
 * @typedef {{walk: number, memory: Kept[], seconds: Record<string, any>}} First
 * @typedef {{kind: string, people: string[], firsts: Record<string, First>, steps: Step[], walks: number[][], trees: Place[][]}} Data
 */

const [COLUMN, LEVEL, TOP] = [124, 66, 96];
const STEPS = [600, 7200, 3600]; // beyond the last short TTL: every ten minutes to two hours, then every hour

/** The seconds that the slider stops at: each one while something short is remembered, and all that matter later.
 * @param {number[]} ends
 */
function stopsFor(ends) {
  const short = Math.max(60, ...ends.filter((end) => end <= 1000)) + 5;
  const last = Math.max(short, ...ends) + 60;
  const stops = new Set(Array.from({ length: short + 1 }, (_, second) => second));
  for (let at = STEPS[0]; at < last; at += at < STEPS[1] ? STEPS[0] : STEPS[2]) stops.add(at);
  for (const end of ends) for (const at of [end - 1, end, end + 1]) stops.add(at);
  return [...stops.add(last)].sort((one, other) => one - other);
}

/** @param {HTMLElement} root @param {Data} data @param {import("./kit.js").Looks} looks */
function draw(root, data, looks) {
  const names = Object.keys(data.firsts);
  let first = names[0];
  let second = Object.keys(data.firsts[first].seconds)[0];
  let who = data.people[1];
  let now = 45;
  let showing = 1; // which of the two look-ups is on the stage
  let walk = -1;

  const clock = h("input", { type: "range", min: 0, value: 0, step: 1, "aria-label": "Clock" });
  const typed = h("input", { type: "text", inputmode: "numeric", size: 7, "aria-label": "Second, from 0 on" });
  const summary = announcer();
  const told = announcer();
  const picture = h("div", { class: "dns-tree" });
  const message = h("div", { class: "dns-message" });
  const memory = h("div", {});
  const stage = h("div", { class: "dns-stage" });
  const views = [0, 1].map((view) => button("", () => look(view)));

  let stops = /** @type {number[]} */ ([]);
  const here = () => data.firsts[first];
  const time = () => (showing ? now : 0);
  /** The walk of either look-up. @param {number} view */
  function walkOf(view) {
    if (!view) return here().walk;
    const begun = /** @type {[number, number][]} */ (here().seconds[second][who]).filter(([from]) => from <= now);
    return begun[begun.length - 1][1];
  }
  const lines = () => data.walks[walkOf(showing)].map((number) => data.steps[number]);
  const steps = stepper({
    count: 1,
    label: "Steps of the look-up",
    show,
    text: (at) => lines()[at]?.says ?? "",
    keys: stage,
  });
  /** @param {Rec} record @param {number} at */
  const left = ({ ttl }, at) => (typeof ttl === "number" ? ttl : ttl.until - at);

  /** What somebody hears in the end. @param {number} view */
  function heard(view) {
    const walked = data.walks[walkOf(view)].map((number) => data.steps[number]);
    const end = walked[walked.length - 1];
    const found = end.sections?.answer ?? end.sections?.memory ?? [];
    const records = found.length ? found : (end.sections?.authority ?? []);
    const last = found.filter((each) => each.type === found[found.length - 1].type);
    const servers = walked.filter((step) => step.at === "server").length;
    const shortest = records.length ? `, TTL ${Math.min(...records.map((each) => left(each, view ? now : 0)))}` : "";
    const what = last.length ? last.map((each) => each.data).join(", ") : end.code;
    return `${what}${shortest}; questions to name servers: ${servers}`;
  }

  /** @param {number} view */
  function look(view) {
    showing = view;
    walk = -1;
    update();
  }

  function update() {
    clock.value = String(stops.findIndex((at) => at >= now));
    clock.setAttribute("aria-valuetext", `at ${now} s`);
    typed.value = String(now);
    refill(views[0], `At 0 s: Ana looks up ${first}`);
    refill(views[1], `At ${now} s: ${who} looks up ${second}`);
    views.forEach((each, view) => each.setAttribute("aria-pressed", String(view === showing)));
    summary.say(`At ${now} s ${who} hears: ${heard(1)}.`);
    remember();
    if (walk === walkOf(showing)) show(steps.index);
    else {
      walk = walkOf(showing);
      steps.resize(lines().length, showing ? lines().length - 1 : 0);
    }
  }

  /** @param {number} to */
  function move(to) {
    now = Math.min(Math.max(Math.round(to) || 0, 0), stops[stops.length - 1]);
    if (!showing) showing = 1;
    update();
  }

  function begin() {
    if (!(second in here().seconds)) second = Object.keys(here().seconds)[0];
    stops = stopsFor(here().memory.map((each) => each.until));
    clock.max = String(stops.length - 1);
    now = Math.min(now, stops[stops.length - 1]);
    walk = -1;
    update();
  }

  function remember() {
    const rows = here().memory.map((each) => [
      each.who,
      [code(each.what), each.how ? ` (${each.how}) ` : " ", h("span", { class: "dns-data" }, each.data.join(", "))],
      now <= each.until
        ? [
            h("span", { class: "dns-bar", style: `--left: ${(100 * (each.until - now)) / (each.until || 1)}%` }),
            ` ${each.until - now} s`,
          ]
        : `forgotten since ${each.until + 1} s`,
    ]);
    const options = { caption: `What is left of the first look-up at ${now} s, before the second one` };
    refill(memory, table(["who", "remembers", "TTL left"], rows, options));
  }

  /** One step on the stage. @param {number} at */
  function show(at) {
    const step = lines()[at];
    if (!step) return;
    const number = lines()
      .slice(0, at + 1)
      .filter((each) => each.server).length;
    told.say(`${step.server ? `Question ${number}: ` : ""}${step.says}.`);
    refill(picture, tree(data.trees[here().seconds[second].tree], lines(), at, looks, showing ? who : data.people[0]));
    refill(message, ...words(step, time(), left));
  }

  const next = () =>
    move(
      Math.min(
        ...here()
          .memory.map((each) => each.until + 1)
          .filter((end) => end > now),
        stops[stops.length - 1],
      ),
    );
  clock.addEventListener("input", () => move(stops[Number(clock.value)]));
  typed.addEventListener("change", () => move(Number(typed.value)));
  const firstChoice = choice("At 0 s Ana looks up", names, (name) => ((first = name), (showing = 0), begin()), first);
  const secondBar = h("div", { class: "np-bar" });
  const people = choice("Then", data.people, (name) => ((who = name), look(1)), who);
  const other = choice("looks up", Object.keys(here().seconds), (name) => ((second = name), look(1)), second);
  refill(secondBar, people, other, h("label", { class: "np-field" }, "at", typed, "s"));
  refill(
    stage,
    h("div", { class: "np-bar dns-views", role: "group", "aria-label": "Which look-up" }, ...views),
    steps.element,
    told.element,
    h("div", { class: "dns-sides" }, picture, message),
  );
  const jumps = [button("−1 s", () => move(now - 1)), button("+1 s", () => move(now + 1)), button("next expiry", next)];
  const clockBar = h("div", { class: "np-bar", role: "group", "aria-label": "Clock" }, clock, ...jumps);
  root.append(h("div", { class: "np-bar" }, firstChoice), secondBar, clockBar, summary.element, stage);
  root.append(h("details", { open: true }, h("summary", {}, "Memories"), memory));
  showing = 0;
  begin();
  return () => steps.stop();
}

/** A message in words: question, status, flags, records. @param {Step} step @param {number} now @param {(record: Rec, at: number) => number} left */
function words(step, now, left) {
  const said = [];
  if (step.server) said.push(h("p", {}, "Asked: ", code(step.server)));
  if (step.asks) said.push(h("p", {}, "Question: ", code(step.asks.question), ` flags ${step.asks.flags}`));
  if (step.reply) said.push(h("p", {}, "Response: ", code(step.reply.status), ` flags ${step.reply.flags}`));
  if (!step.asks && !step.reply) said.push(h("p", {}, "No message: this happens within one machine."));
  for (const [section, records] of Object.entries(step.sections ?? {})) {
    said.push(h("p", { class: "dns-section" }, section));
    records.forEach((each, at) => {
      const line = [code(each.owner), " ", h("strong", {}, left(each, now)), ` IN ${each.type} `, code(each.data)];
      const again = each.why && each.why === records[at + 1]?.why;
      said.push(
        h(
          "p",
          { class: "dns-record" },
          each.why ? h("s", {}, line) : line,
          each.why && !again && ` set aside: ${each.why}`,
        ),
      );
    });
  }
  return said;
}

/** The tree with a walk as far as a step. @param {Place[]} places @param {Step[]} steps @param {number} at @param {import("./kit.js").Looks} looks @param {string} owner */
function tree(places, steps, at, looks, owner) {
  const columns = 1 + Math.max(...places.map((each) => each.at[0]));
  const width = Math.max(320, COLUMN * columns);
  const height = TOP + LEVEL * Math.max(...places.map((each) => each.at[1])) + 60;
  const x = (/** @type {Place} */ each) => ((each.at[0] + 0.5) * width) / columns - 26;
  const y = (/** @type {Place} */ each) => TOP + LEVEL * each.at[1];
  const past = steps.slice(0, at + 1);
  const asks = past.flatMap((step) => step.node ?? []);
  const missing = new Set(
    past.filter((step) => step.code === "NXDOMAIN" && step.asks).map((step) => step.asks?.question.split(" ")[0]),
  );
  const now = steps[at];
  const [person, resolver] = [
    [46, 26],
    [width - 60, 26],
  ];
  const blue = looks.spaces["the Internet"];
  const target = places.find((each) => each.name === now.node);
  const alt = `${now.says}.`;
  const svg = s("svg", {
    viewBox: `-22 0 ${width + 22} ${height}`,
    role: "img",
    "aria-label": alt,
    width,
    height: null,
  });

  /** @param {number[]} a @param {number[]} b @param {string} name */
  const line = (a, b, name) => svg.append(s("line", { x1: a[0], y1: a[1], x2: b[0], y2: b[1], class: name }));
  for (const each of places) {
    const above = places[each.above];
    if (!above) continue;
    line([x(above), y(above)], [x(each), y(each)], missing.has(each.name) ? "dns-branch dns-none" : "dns-branch");
    const [mx, my] = [(x(above) + x(each)) / 2, (y(above) + y(each)) / 2];
    if (each.zone) line([mx - 24, my], [mx + 24, my], "dns-cut");
  }
  if (target) line(resolver, [x(target), y(target)], "dns-asks");
  line([person[0] + 12, 26], [resolver[0] - 12, 26], ["ask", "answer"].includes(now.at) ? "dns-asks" : "dns-branch");
  const active = /** @type {Record<string, number[]>} */ ({ stub: person, cache: resolver, server: resolver });
  const ring = active[now.at];
  if (ring) svg.append(s("circle", { cx: ring[0], cy: ring[1], r: 15, class: "dns-ring" }));
  svg.append(mark(blue, person[0], 26, 10), mark(looks.spaces["name servers"], resolver[0], 26, 10));
  svg.append(label([`${owner}’s machine`], person[0], 54), label(["resolver"], resolver[0], 54));
  if (now.at === "answer")
    svg.append(mark(looks.fates[now.code === "NOERROR" ? "passed" : "failed"], person[0] + 24, 14, 7));
  for (const each of places) {
    const reached = asks.includes(each.name);
    if (missing.has(each.name)) svg.append(mark(looks.fates.dropped, x(each), y(each), 7));
    else if (each.zone) svg.append(mark(looks.spaces["name servers"], x(each), y(each), 10, { hollow: !reached }));
    else svg.append(s("circle", { cx: x(each), cy: y(each), r: 5, class: "dns-name" }));
    const leaf = !places.some((other) => places[other.above] === each);
    svg.append(leaf ? label(each.lines, x(each), y(each) + 21) : label(each.lines, x(each) + 14, y(each) + 4, "start"));
    const numbers = asks.flatMap((name, step) => (name === each.name ? [step] : []));
    numbers
      .reverse()
      .forEach((step, turn) =>
        svg.append(
          ...badge(x(each) - 21 - 19 * turn, y(each), step + 1, now.server !== undefined && step === asks.length - 1),
        ),
      );
  }
  return svg;
}

/** @param {number} x @param {number} y @param {number} number @param {boolean} active */
function badge(x, y, number, active) {
  const name = active ? "dns-badge dns-now" : "dns-badge";
  return [s("circle", { cx: x, cy: y, r: 9, class: name }), s("text", { x, y: y + 3.6, class: name }, number)];
}

/** @param {string[]} lines @param {number} x @param {number} y @param {string} [anchor] */
function label(lines, x, y, anchor = "middle") {
  return s(
    "text",
    { "text-anchor": anchor, class: "dns-label" },
    ...lines.map((text, at) => s("tspan", { x, y: y + 13 * at }, text)),
  );
}

/** @param {import("./kit.js").Context} context */
const render = (context) => mount(context, "dns", draw);
export default { render };
