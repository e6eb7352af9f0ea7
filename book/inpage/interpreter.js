// @ts-check
/**
 * The page's one interpreter: it is started by the first Run, runs one cell after the other, and is ended by Stop.
 */

/** What a cell has to say while it runs.
 * @typedef {{line?: number, code: string, message: string, calls: string}} Failure
 * @typedef {{printed?: string, html?: string, text?: string, note?: string, error?: Failure}} Output
 * @typedef {{source: string, name: string, heard: (output: Output) => void}} Job
 */

/** Thrown to whoever waits, when the reader has pressed Stop. */
export class Stopped extends Error {}

export class Interpreter {
  /** @param {(state: string) => void} loading told how far loading is, for the reader */
  constructor(loading) {
    this.loading = loading;
    /** @type {Worker | null} */
    this.worker = null;
    /** The cells that have run, by their names. */
    this.ran = new Set();
    /** How often it was stopped: who waited then doesn't run any more. */
    this.stops = 0;
    /** @type {Promise<any>} */
    this.last = Promise.resolve();
    /** @type {(reason: Error) => void} */
    this.end = () => {};
  }

  /** Run a cell, after those that wait already; true if it raised nothing. @param {Job} job @returns {Promise<boolean>} */
  run(job) {
    const { stops } = this;
    const turn = this.last.then(() => {
      if (stops !== this.stops) throw new Stopped("stopped");
      return this.send(job);
    });
    this.last = turn.catch(() => {});
    return turn;
  }

  /** @param {Job} job @returns {Promise<boolean>} */
  async send(job) {
    this.worker ??= await this.start();
    const { worker } = this;
    return new Promise((resolve, reject) => {
      this.end = reject;
      worker.onmessage = ({ data }) => {
        if (data.failed) {
          this.stop(new Error(data.failed));
          return;
        }
        if (!("done" in data)) {
          job.heard(data);
          return;
        }
        this.ran.add(job.name);
        resolve(data.done);
      };
      worker.postMessage({ source: job.source, name: job.name });
    });
  }

  /** @returns {Promise<Worker>} */
  start() {
    this.loading("Loading Python …");
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    return new Promise((resolve, reject) => {
      this.end = (reason) => {
        worker.terminate();
        reject(reason);
      };
      worker.onerror = () => this.end(new Error("Python could not be loaded"));
      worker.onmessage = ({ data }) => {
        if (data.bytes) this.loading(`Loading Python … ${Math.round(data.bytes / 1e6)} MB`);
        if (data.failed) this.end(new Error(data.failed));
        if (data.ready) resolve(worker);
      };
    });
  }

  /** End what runs, and all that it knew. @param {Error} [reason] */
  stop(reason = new Stopped("stopped")) {
    this.stops += 1;
    this.worker?.terminate();
    this.worker = null;
    this.ran.clear();
    this.end(reason);
  }
}
