// @ts-check
import { button, h, mount, put, refill } from "./kit.js";
import { exported, load, parse, replace, watch, whenKept } from "./store.js";

/**
 * @typedef {{number: string, title: string}} Item
 * @typedef {{number: number, title: string, page: string, exercises: Item[]}} Chapter
 */

const SIGNS = { "not attempted": "○", wrong: "✕", "your code raised": "⚠", right: "✓" };

/** @param {import("./kit.js").Context} context */
function render(context) {
  return mount(context, "progress", (root, data) => {
    const { model } = context;
    whenKept(model, replace);
    const road = h("ol", { class: "np-progress-road" });
    const said = h("p", { class: "np-say", role: "status", "aria-live": "polite" });
    const file = h("input", {
      type: "file",
      accept: ".json,application/json",
      "aria-label": "A file to import",
      hidden: true,
    });
    file.addEventListener("change", async () => {
      const text = await file.files?.[0]?.text();
      if (text !== undefined) take(text);
      file.value = "";
    });
    const reset = button("Reset", () => {
      if (window.confirm("Forget what you have done in all exercises?"))
        change({}, "All exercises are as if you had never tried them.");
    });
    const bar = h(
      "div",
      { class: "np-bar" },
      button("Export", save),
      button("Import", () => file.click()),
      reset,
      file,
    );
    put(root, road, bar, said);

    function draw() {
      const kept = load();
      const ending = location.pathname.endsWith(".html") ? ".html" : ".ipynb";
      refill(
        road,
        data.chapters.map((/** @type {Chapter} */ chapter) => {
          const states = chapter.exercises.map((each) => kept[each.number]?.state ?? "not attempted");
          const done = states.filter((state) => state === "right").length;
          const dots = chapter.exercises.map((each, n) =>
            h(
              "li",
              { title: `${each.number} ${each.title}` },
              h("span", { "aria-hidden": "true" }, SIGNS[states[n]]),
              h("span", { class: "np-hidden" }, `${each.number} ${each.title}: ${states[n]}`),
            ),
          );
          const link = h("a", { href: `${data.root}${chapter.page}${ending}` }, `${chapter.number} ${chapter.title}`);
          return h(
            "li",
            { class: done === states.length && done ? "np-progress-done" : "" },
            link,
            h("span", {}, ` ${done} of ${states.length} right`),
            h("ul", {}, dots),
          );
        }),
      );
    }

    /** @param {import("./store.js").Entries} entries @param {string} words */
    function change(entries, words) {
      replace(entries);
      model.send({ kind: "replace", text: exported(entries) });
      refill(said, words);
    }

    /** @param {string} text */
    function take(text) {
      const entries = parse(text);
      if (!entries) return refill(said, "This file isn't one that netpath exported. What you have done is as it was.");
      return change(entries, `Imported: ${Object.keys(entries).length} exercises.`);
    }

    function save() {
      const address = URL.createObjectURL(new Blob([exported(load())], { type: "application/json" }));
      h("a", { href: address, download: "netpath-progress.json" }).click();
      URL.revokeObjectURL(address);
      refill(said, "Exported as netpath-progress.json.");
    }

    draw();
    return watch(draw);
  });
}

export default { render };
