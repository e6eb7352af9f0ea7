// @ts-check
/**
 * Draws the widgets of a published page, from the state that the build wrote into it.
 *
 * Every one of them is an anywidget whose behaviour is all in its own script, so that a page needs neither Jupyter's
 * widget manager nor require.js. They are drawn in the order of the page, and between two of them the reader may act.
 * A box of ipywidgets controls would need a kernel: of such a box, what it has of anywidgets is drawn, and one of them
 * says so.
 *
 * This is a classic script, for browsers don't load a module into a page that was opened from a file.
 */
(function () {
  /**
   * @typedef {import("../../netpath/show/widgets/kit.js").Model} Model
   * @typedef {{default: {render(context: {model: Model, el: HTMLElement}): void}}} Script
   * @typedef {{model_name: string, state: Record<string, any>}} Saved
   * @typedef {(...values: any[]) => void} Callback
   */
  const TYPE = "application/vnd.jupyter.widget-";
  const POINTER = "IPY_MODEL_";

  /** @type {Map<string, Promise<Script>>} */
  const scripts = new Map();
  /** @type {Set<string>} */
  const sheets = new Set();

  /** A widget's script; a text that several widgets carry is loaded once. @param {string} text */
  function script(text) {
    const found = scripts.get(text);
    if (found) return found;
    const loading = import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
    scripts.set(text, loading);
    return loading;
  }

  /** A widget's style sheet, once. @param {string} text */
  function style(text) {
    if (sheets.has(text)) return;
    sheets.add(text);
    const sheet = document.createElement("style");
    sheet.textContent = text;
    document.head.append(sheet);
  }

  /** What a widget's script sees: values that can be read, set and watched. Nobody answers what it sends.
   * @param {Record<string, any>} values @returns {Model}
   */
  function model(values) {
    /** @type {Map<string, Set<Callback>>} */
    const watching = new Map();
    return {
      get: (name) => values[name],
      set(name, value) {
        values[name] = value;
        watching.get(`change:${name}`)?.forEach((callback) => callback());
      },
      save_changes() {},
      send() {},
      on: (event, callback) => void watching.set(event, (watching.get(event) ?? new Set()).add(callback)),
      off: (event, callback) => void (event && callback && watching.get(event)?.delete(callback)),
    };
  }

  /** The anywidgets that a model is, or has within it. @param {Record<string, Saved>} all @param {string} id @returns {Saved[]} */
  function drawable(all, id) {
    const { model_name, state } = all[id];
    if (model_name === "AnyModel") return [all[id]];
    const children = /** @type {string[]} */ (state.children ?? []);
    return children.flatMap((child) => drawable(all, child.replace(POINTER, "")));
  }

  /** @param {Saved} saved @param {Element} place */
  async function draw({ state }, place) {
    const el = document.createElement("div");
    style(state._css);
    const { render } = (await script(state._esm)).default;
    place.append(el);
    render({ model: model(state), el });
  }

  async function drawAll() {
    const saved = document.querySelector(`script[type="${TYPE}state+json"]`);
    const all = /** @type {Record<string, Saved>} */ (JSON.parse(saved?.textContent ?? '{"state":{}}').state);
    for (const view of document.querySelectorAll(`script[type="${TYPE}view+json"]`)) {
      const place = document.createElement("div");
      view.after(place);
      for (const each of drawable(all, JSON.parse(view.textContent ?? "").model_id))
        await draw(each, place).catch(reportError); // the next ones are drawn all the same
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  void drawAll();
})();
