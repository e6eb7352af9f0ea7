// @ts-check
/**
 * What all widgets share: elements, the palette's shapes, the stepper, and the way from a model to a page.
 *
 * Whatever a world brings in (names, rules) becomes text nodes and attributes, never markup.
 */

/** What a host gives a widget (see anywidget's documentation); `send` does nothing where there is no kernel.
 * @typedef {{
 *   get(name: string): any,
 *   set(name: string, value: any): void,
 *   save_changes(): void,
 *   send(content: any): void,
 *   on(event: string, callback: (...args: any[]) => void): void,
 *   off(event?: string | null, callback?: ((...args: any[]) => void) | null): void,
 * }} Model
 * @typedef {{model: Model, el: HTMLElement}} Context
 * @typedef {{colour: string, shape: string, sign: string, points: [number, number][]}} Look
 * @typedef {{spaces: Record<string, Look>, fates: Record<string, Look>}} Looks
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, any>} Attributes
 */

const SVG = "http://www.w3.org/2000/svg";
let made = 0;

/** A name that no other element of the page has. @param {string} prefix */
export const unique = (prefix) => `netpath-${prefix}-${++made}-${Math.random().toString(36).slice(2, 7)}`;

/** An HTML element. `onclick` and its like take functions, `class` and `aria-…` strings; false and null leave one out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Attributes} [attributes] @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag @param {Attributes} [attributes] @param {...(Child | Child[])} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** @template {Element} E @param {E} element @param {Attributes} attributes @param {(Child | Child[])[]} children */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  put(element, ...children);
  return element;
}

/** Put children into an element, at its end. @param {Element} element @param {...(Child | Child[])} children */
export function put(element, ...children) {
  for (const child of children.flat())
    if (child !== null && child !== undefined && child !== false)
      element.append(child instanceof Node ? child : String(child));
}

/** Put children into an element in place of those that it has. @param {Element} element @param {...(Child | Child[])} children */
export function refill(element, ...children) {
  element.replaceChildren();
  put(element, ...children);
}

/** A look's shape around a point, as SVG. Hollow for a place that nobody reached.
 * @param {Look} look @param {number} x @param {number} y @param {number} [size] @param {{hollow?: boolean}} [options]
 */
export function mark(look, x, y, size = 11, { hollow = false } = {}) {
  const fill = hollow ? "var(--np-paper)" : look.colour;
  const style = { fill, stroke: look.colour, "stroke-width": 1.4 };
  const strokes = { fill: "none", stroke: look.colour, "stroke-width": size / 3, "stroke-linecap": "round" };
  const at = (/** @type {number} */ dx, /** @type {number} */ dy) => `${x + size * dx} ${y + size * dy}`;
  if (look.shape === "cross")
    return s("path", { d: `M${at(-0.7, -0.7)}L${at(0.7, 0.7)}M${at(-0.7, 0.7)}L${at(0.7, -0.7)}`, ...strokes });
  if (look.shape === "check")
    return s("path", { d: `M${at(-0.7, 0.05)}L${at(-0.2, 0.6)}L${at(0.75, -0.6)}`, ...strokes });
  if (!look.points.length) return s("circle", { cx: x, cy: y, r: size * 0.9, ...style });
  const outline = s("polygon", {
    points: look.points.map(([dx, dy]) => `${x + size * dx},${y + size * dy}`).join(" "),
    ...style,
  });
  if (look.shape !== "warning" && look.shape !== "octagon") return outline;
  const bang = s("text", { x, y: y + size * 0.45, class: "np-bang", "font-size": size * 1.1 }, "!");
  return s("g", {}, outline, bang);
}

/** A look's shape as a small picture within a line of text; its word has to stand beside it. @param {Look} look @param {number} [size] */
export function icon(look, size = 14) {
  return s(
    "svg",
    { class: "np-icon", width: size, height: size, viewBox: "-8 -8 16 16", "aria-hidden": "true" },
    mark(look, 0, 0, 6),
  );
}

/** A table with a header.
 * @param {string[]} header @param {(Child | Child[])[][]} rows @param {{caption?: string, class?: string}} [options]
 */
export function table(header, rows, options = {}) {
  const cell = (/** @type {Child | Child[]} */ value, /** @type {number} */ at) =>
    h("td", { "data-name": header[at] }, value);
  return h(
    "table",
    { class: options.class },
    options.caption && h("caption", {}, options.caption),
    h("thead", {}, h("tr", {}, ...header.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map(cell)))),
  );
}

/** A text as a machine wrote it. @param {Child} text */
export const code = (text) => h("code", {}, text);

/** Lines as they stand; on a narrow page they scroll, by keyboard too. @param {string} text */
const lines = (text) => h("pre", { tabindex: 0 }, text);

/** Paragraphs, lines and `code`, as netpath/exercises/outcome.py writes them. @param {string} text */
export function prose(text) {
  const blocks = text.split(/\n*```\n?/);
  return h(
    "div",
    { class: "np-prose" },
    ...blocks.map((block, at) => (at % 2 ? lines(block) : paragraphs(block))).flat(),
  );
}

/** @param {string} text */
function paragraphs(text) {
  const found = text.split(/\n{2,}/).map((part) => part.trim());
  return found
    .filter(Boolean)
    .map((part) => h("p", {}, ...part.split("`").map((piece, at) => (at % 2 ? code(piece) : piece))));
}

/** A labelled choice among several. `options`: pairs of value and text, or texts.
 * @param {string} label @param {(string | [string, string])[]} options @param {(value: string) => void} change @param {string} [value]
 */
export function choice(label, options, change, value) {
  const pairs = options.map((each) => (typeof each === "string" ? [each, each] : each));
  const select = h("select", { onchange: () => change(select.value) });
  put(select, ...pairs.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
  return h("label", { class: "np-field" }, h("span", {}, label), select);
}

/** A labelled switch. @param {string} label @param {boolean} on @param {(on: boolean) => void} change */
export function toggle(label, on, change) {
  const box = h("input", { type: "checkbox", checked: on, onchange: () => change(box.checked) });
  return h("label", { class: "np-toggle" }, box, h("span", {}, label));
}

/** A labelled line of text. @param {string} label @param {string} value @param {(value: string) => void} change */
export function field(label, value, change) {
  const input = h("input", { type: "text", value, spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
  input.addEventListener("input", () => change(input.value));
  return h("label", { class: "np-field np-wide" }, h("span", {}, label), input);
}

/** A button with a name. @param {Child} face @param {() => void} press @param {Attributes} [attributes] */
export const button = (face, press, attributes = {}) =>
  h("button", { type: "button", onclick: press, ...attributes }, face);

/** A region that tells a screen reader what has just happened. */
export function announcer() {
  const element = h("p", { class: "np-say", role: "status", "aria-live": "polite" });
  const say = (/** @type {string} */ text) => refill(element, text);
  return { element, say };
}

/** The stepper's signs: drawn, for not every font has them. */
const SIGNS = {
  first: "M3 2v12M13 2L5 8l8 6z",
  back: "M11 2L5 8l6 6-6-6z",
  play: "M4 2l9 6-9 6z",
  pause: "M5 2v12M11 2v12",
  forward: "M5 2l6 6-6 6 6-6z",
  last: "M13 2v12M3 2l8 6-8 6z",
};

/** @param {keyof typeof SIGNS} name */
const sign = (name) =>
  s(
    "svg",
    { class: "np-sign", width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" },
    s("path", { d: SIGNS[name] }),
  );

/** Whether the reader asked for less motion. */
export const still = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * First, back, play, forward, last, and a slider: for whatever has a number of steps. Arrow keys, Home, End and the
 * space bar work everywhere within `keys` (but in fields that use these keys themselves).
 * @param {{count: number, label: string, show: (index: number) => void, text: (index: number) => string, pause?: number, keys?: HTMLElement}} options
 */
export function stepper({ count, label, show, text, pause = 1200, keys }) {
  let index = 0;
  let total = count;
  let timer = 0;
  const slider = h("input", {
    type: "range",
    min: 0,
    max: Math.max(total - 1, 0),
    value: 0,
    step: 1,
    "aria-label": label,
  });
  const place = h("span", { class: "np-place" });
  const playing = button(sign("play"), () => (timer ? stop() : play()), { "aria-label": "Play", class: "np-play" });
  const buttons = {
    first: button(sign("first"), () => go(0), { "aria-label": "First step" }),
    back: button(sign("back"), () => go(index - 1), { "aria-label": "Step back" }),
    forward: button(sign("forward"), () => go(index + 1), { "aria-label": "Step forward" }),
    last: button(sign("last"), () => go(total - 1), { "aria-label": "Last step" }),
  };
  slider.addEventListener("input", () => go(Number(slider.value)));
  const element = h("div", { class: "np-stepper", role: "group", "aria-label": label });
  put(element, buttons.first, buttons.back, playing, buttons.forward, buttons.last, slider, place);

  function draw() {
    slider.max = String(Math.max(total - 1, 0));
    slider.value = String(index);
    slider.setAttribute("aria-valuetext", text(index));
    place.textContent = `${total ? index + 1 : 0} of ${total}`;
    const ends = { first: index === 0, back: index === 0, forward: index >= total - 1, last: index >= total - 1 };
    for (const [name, off] of Object.entries(ends))
      buttons[/** @type {keyof typeof buttons} */ (name)].setAttribute("aria-disabled", String(off));
  }
  /** @param {number} to */
  function move(to) {
    index = Math.min(Math.max(to, 0), Math.max(total - 1, 0));
    draw();
    show(index);
  }
  /** @param {number} to */
  function go(to) {
    stop();
    move(to);
  }
  function play() {
    if (index >= total - 1) move(0);
    timer = window.setInterval(() => (index >= total - 1 ? stop() : move(index + 1)), pause);
    refill(playing, sign("pause"));
    playing.setAttribute("aria-label", "Pause");
  }
  function stop() {
    window.clearInterval(timer);
    timer = 0;
    refill(playing, sign("play"));
    playing.setAttribute("aria-label", "Play");
  }
  const moves = /** @type {Record<string, () => void>} */ ({
    ArrowLeft: () => go(index - 1),
    ArrowRight: () => go(index + 1),
    Home: () => go(0),
    End: () => go(total - 1),
    " ": () => (timer ? stop() : play()),
  });
  (keys ?? element).addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.altKey || event.ctrlKey || event.metaKey || target.matches("select, textarea, input[type=text]")) return;
    if (event.key === " " && target.matches("button, input, summary, a")) return;
    if (!moves[event.key]) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has the same keys for its cells
    moves[event.key]();
  });
  draw();
  return {
    element,
    go,
    stop,
    get index() {
      return index;
    },
    /** Another number of steps, and where to stand among them. @param {number} steps @param {number} [at] */
    resize(steps, at = 0) {
      stop();
      total = steps;
      move(at);
    },
  };
}

/**
 * Draw a widget now and whenever its data changes. `draw` fills the element and may return a clean-up.
 * @param {Context} context @param {string} name @param {(root: HTMLElement, data: any, looks: Looks) => (void | (() => void))} draw
 */
export function mount({ model, el }, name, draw) {
  const root = h("div", { class: `netpath-widget netpath-${name}` });
  el.append(root);
  /** @type {void | (() => void)} */
  let clean;
  const redraw = () => {
    clean?.();
    root.replaceChildren();
    clean = draw(root, model.get("data"), model.get("looks"));
  };
  model.on("change:data", redraw);
  redraw();
  return () => {
    model.off("change:data", redraw);
    clean?.();
  };
}

/** Call back once a kernel has answered; never, where there is none. @param {Model} model @param {() => void} here */
export function whenLive(model, here) {
  model.on("msg:custom", (/** @type {any} */ message) => message?.kind === "here" && here());
  model.send({ kind: "hello" });
}
