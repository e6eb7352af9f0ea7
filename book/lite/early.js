// @ts-check
/**
 * Python for a notebook, started while JupyterLite is still loading. JupyterLite would start it when the notebook is on
 * the screen; then the page has done its work and a reader only waits.
 *
 * This module has two parts to play. `extension/static/notebooks.js` starts it as a worker, which loads Python at once
 * and becomes the kernel's own as soon as the kernel asks for one. And whatever worker a kernel has, it takes
 * `loadPyodide` from here: in the early one that is what was begun, in every other (after a restart) it begins now.
 */

const here = new URL(".", import.meta.url).href;

/** What a kernel imports when it starts, and what the chapters do. */
const AHEAD = `
import sys
import piplite.piplite, pyodide_kernel
import netpath.journey, netpath.load
sys.path.remove("")
sys.path.append("")  # the reader's own files come last: to look there is to ask the page
`;

/** @type {Promise<any> | undefined} */
let python;

/** @param {Record<string, any>} options Pyodide's own */
async function start(options) {
  const { loadPyodide } = await import(`${here}pyodide.mjs`);
  const pyodide = await loadPyodide({ ...options, indexURL: here });
  pyodide.runPython(AHEAD);
  return pyodide;
}

/** @param {Record<string, any>} options */
export async function loadPyodide(options) {
  const pyodide = await (python ??= start(options));
  pyodide.setStdout({ batched: options.stdout });
  pyodide.setStderr({ batched: options.stderr });
  return pyodide;
}

/** The page says first what to load, and then which script makes a kernel. @param {MessageEvent} event */
async function early({ data }) {
  if (data.packages) {
    python = start(data);
    return;
  }
  /** @type {any[]} */
  const told = []; // to the kernel, before it was there
  const keep = (/** @type {MessageEvent} */ event) => void told.push(event.data);
  self.removeEventListener("message", early);
  self.addEventListener("message", keep);
  await import(data.kernel);
  self.removeEventListener("message", keep);
  for (const each of told) self.dispatchEvent(new MessageEvent("message", { data: each }));
}

if (self.name === "early") self.addEventListener("message", early);
