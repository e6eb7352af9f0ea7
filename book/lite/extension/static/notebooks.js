/**
 * What JupyterLite lacks for a book: Python that starts together with the page (../../early.js tells how), a button that
 * resets a notebook, and a word when the reader's copy is of an earlier edition. JupyterLite keeps what the reader
 * changes in the browser's storage, and shows it in place of the book's own notebook, whatever edition that has become;
 * each notebook therefore says of which edition it is.
 *
 * This is a prebuilt extension without a build: a module federation container, written out.
 *
 * Not modelled: merging. The reader has both copies, and takes what they want.
 */
(() => {
  const RESET = "netpath:reset";
  const KEEP = "netpath:keep";
  const TAKE = "netpath:take";
  const ASK = "Put the book's own notebook back? Your changes in it are lost.";

  const settings = JSON.parse(document.getElementById("jupyter-config-data")?.textContent || "{}");

  const KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel";
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript)?.src;

  /** Start Python, and give its worker to the kernel when that wants one. */
  function startPython() {
    const address = new URL("../../../static/pyodide/early.js", script);
    const early = new Worker(address, { type: "module", name: "early" });
    early.postMessage(settings.litePluginSettings[KERNEL].loadPyodideOptions);
    const { Worker: usual } = window;
    window.Worker = new Proxy(usual, {
      construct(made, [wanted, options]) {
        if (!String(wanted).includes("/comlink.worker.")) return new made(wanted, options);
        window.Worker = usual;
        early.postMessage({ kernel: String(wanted) });
        return early;
      },
    });
  }

  // With shared memory, which a host's headers may allow, the kernel's worker is of another kind.
  if (/[?&]path=[^&]+\.ipynb/.test(location.search) && !window.crossOriginIsolated) startPython();

  /**
   * JupyterLab's own, of which this says no more than it uses.
   * @typedef {{ path: string, model: any, ready: Promise<void>, revert(): Promise<void>, save(): Promise<void> }} Context
   */

  /** The notebook's edition, if it is one of the book's. */
  const editionOf = (/** @type {Context} */ context) => context.model?.sharedModel?.getMetadata?.("netpath")?.edition;

  /** A file name that tells the reader's copy from the book's. */
  const beside = (/** @type {string} */ path, /** @type {string} */ edition) =>
    path.replace(/\.ipynb$/, ` (mine, ${edition}).ipynb`);

  /** @param {any} app */
  function activate(app) {
    const { commands, shell, serviceManager } = app;
    const { contents } = serviceManager;
    const current = () => /** @type {Context | undefined} */ (shell.currentWidget?.context);
    const asked = new Set();

    /** Forget the reader's copy: the book's lies under it. */
    const reset = async (/** @type {Context} */ context) => {
      await contents.delete(context.path);
      await context.revert();
    };

    /** The reader's copy counts as this edition's from now on. */
    const keep = async (/** @type {Context} */ context) => {
      context.model.sharedModel.setMetadata("netpath", { edition: settings.netpathEdition });
      await context.save();
    };

    /** The new notebook in the place of the reader's, which is kept beside it. */
    const take = async (/** @type {Context} */ context) => {
      const content = { ...context.model.toJSON() };
      const path = beside(context.path, editionOf(context));
      await contents.save(path, { type: "notebook", format: "json", content });
      await reset(context);
    };

    /** Tell of an earlier edition, once for each notebook. */
    const look = async (/** @type {Context | undefined} */ context) => {
      if (!context?.path?.endsWith(".ipynb") || asked.has(context)) return;
      asked.add(context);
      await context.ready;
      const edition = editionOf(context);
      if (!edition || edition === settings.netpathEdition) return;
      const actions = [
        { label: "Keep mine", commandId: KEEP },
        { label: "Take the new one", commandId: TAKE, caption: "Your copy is kept beside it", displayType: "accent" },
      ];
      commands.execute("apputils:notify", {
        message: `This is your changed copy of an earlier edition. The book has a newer one: ${settings.netpathEditionName}.`,
        type: "warning",
        options: { autoClose: false, actions },
      });
    };

    /** @type {(id: string, label: string, caption: string, act: (context: Context) => Promise<void>) => void} */
    const add = (id, label, caption, act) =>
      commands.addCommand(id, {
        label,
        caption,
        isEnabled: () => Boolean(current()),
        execute: () => act(/** @type {Context} */ (current())),
      });
    add(RESET, "Reset this notebook", "Put the book's own notebook back", async (/** @type {Context} */ context) => {
      if (window.confirm(ASK)) await reset(context);
    });
    add(KEEP, "Keep mine", "Go on with your own copy", keep);
    add(TAKE, "Take the new one", "Your copy is kept beside it", take);

    shell.currentChanged?.connect(() => look(current()));
    app.restored.then(() => look(current()));
  }

  const plugin = { id: "netpath-notebooks:plugin", autoStart: true, activate };
  const module = { __esModule: true, default: plugin };
  const container = { init: async () => undefined, get: async () => () => module };
  const containers = /** @type {any} */ (window);
  containers._JUPYTERLAB = { ...containers._JUPYTERLAB, "netpath-notebooks": container };
})();
