// @ts-check
/**
 * Python in a worker of its own, so that the page answers while it runs and can end it: the same Pyodide, and the same
 * wheels, that the notebooks in the browser have. Of the packages it takes those that netpath's model needs.
 */

const NEEDED = ["netpath", "dnspython", "pyyaml", "traitlets"];
const ON_IMPORT = ["networkx"];

const lite = new URL("../../lite/static/pyodide/", import.meta.url).href;
const post = (/** @type {Record<string, any>} */ message) => self.postMessage(message);
/** @type {any} */
let pyodide;
/** @type {any} */
let cells;

/** Tell the page, now and then, how much has come. */
function countBytes() {
  const fetched = self.fetch;
  let [bytes, told] = [0, 0];
  const count = (/** @type {Uint8Array} */ part, /** @type {TransformStreamDefaultController} */ on) => {
    bytes += part.length;
    if (bytes - told > 500_000) post({ bytes: (told = bytes) });
    on.enqueue(part);
  };
  self.fetch = async (...asked) => {
    const got = await fetched(...asked);
    if (!got.body || !got.ok) return got;
    const { status, headers } = got;
    return new Response(got.body.pipeThrough(new TransformStream({ transform: count })), { status, headers });
  };
}

/** Pyodide's lock file, without the packages that a page has no use for. */
async function packages() {
  const answer = await fetch(`${lite}pyodide-lock.json`);
  if (!answer.ok) throw new Error("this copy of the book was built without Python for the browser (make lite adds it)");
  const lock = await answer.json();
  const kept = [...NEEDED, ...ON_IMPORT].filter((name) => lock.packages[name]);
  const without = (/** @type {string} */ name) => ({ ...lock.packages[name], depends: [] });
  return { info: lock.info, packages: Object.fromEntries(kept.map((name) => [name, without(name)])) };
}

async function start() {
  countBytes();
  const runner = fetch(new URL("cells.py", import.meta.url)).then((answer) => answer.text());
  const lockFileContents = await packages();
  const { loadPyodide } = await import(`${lite}pyodide.mjs`);
  const settings = { indexURL: lite, packageBaseUrl: lite, lockFileContents, packages: NEEDED };
  pyodide = await loadPyodide({ ...settings, stdout: () => {}, stderr: () => {} });
  cells = pyodide.toPy({ __name__: "cells", __file__: "cells.py" });
  pyodide.runPython(await runner, { globals: cells, filename: "cells.py" });
  cells.get("stand_in")();
}

const started = start();
started.then(
  () => post({ ready: true }),
  (error) => post({ failed: error.message || String(error) }),
);

self.onmessage = async ({ data: { source, name } }) => {
  await started;
  await pyodide.loadPackagesFromImports(source).catch(() => {}); // what is no Python yet, cells.py tells better
  const tell = (/** @type {string} */ text) => post(JSON.parse(text));
  try {
    post({ done: cells.get("run")(source, name, tell) });
  } catch (error) {
    post({ failed: `Python itself ended (${String(error).split("\n")[0]})` });
  }
};
