// @ts-check
/**
 * Requests pile up on targets: three algorithms side by side, and kube-proxy's choice for each connection.
 * Every pick comes with the data; here they are only counted, up to the request at which the reader stands.
 */
import { announcer, button, choice, code, h, mount, put, refill, stepper, toggle } from "./kit.js";

/** @typedef {{runs: string[], shares: string[], zones: string[]}} State
 * @typedef {{name: string, seconds: number, slow: boolean}} Target
 * @typedef {{targets: Target[], zones: string[], algorithms: string[], count: number, interval: number, change: number,
 *   switches: boolean, ill: string, states: Record<string, State>}} Requests
 * @typedef {{service: string, pods: string[], shares: string[], draws: number[][], kept: number[], left: number[],
 *   count: number}} Connections
 * @typedef {{solid: number, hatched: number, text: string, here: boolean, label?: string, off?: boolean}} Bar
 */

/** @param {HTMLElement} root @param {{requests: Requests, connections: Connections}} data @param {import("./kit.js").Looks} looks */
function draw(root, data, looks) {
  root.style.setProperty("--np-pods", looks.spaces.pods.colour);
  const said = announcer();
  const picked = requests(data.requests, again);
  const kept = connections(data.connections, again);
  const steps = stepper({
    count: data.requests.count,
    label: "Requests",
    pause: 500,
    keys: root,
    text: (index) => `Request ${index + 1} of ${data.requests.count}`,
    show,
  });
  put(root, steps.element, said.element, picked.element, kept.element);

  /** @param {number} index */
  function show(index) {
    said.say(`${picked.show(index + 1)} ${kept.show(index + 1)}`);
  }

  /** Something else was chosen. @param {string} words */
  function again(words) {
    show(steps.index);
    said.say(`${words} ${picked.summary()}`);
  }

  steps.go(data.requests.count - 1);
  return () => steps.stop();
}

// The load balancer ----------------------------------------------------------------------------

/** The first panel. @param {Requests} data @param {(words: string) => void} changed */
function requests(data, changed) {
  let cross = true;
  let ill = data.ill;
  const { targets, algorithms, change } = data;
  const names = (/** @type {string} */ mask) => targets.filter((_, at) => mask[at] === "1").map(({ name }) => name);
  const state = () => data.states[`${cross ? 1 : 0} ${ill}`];
  const columns = algorithms.map((algorithm) => panel(code(algorithm), targets.length));
  const alike = h("p", { class: "np-alike" });
  const switches = targets.map((target, at) => {
    const press = () => set(ill.slice(0, at) + (ill[at] === "1" ? "0" : "1") + ill.slice(at + 1));
    return button("", press, { "data-target": target.name });
  });
  const all = [
    button("all", () => set("1".repeat(targets.length)), { "aria-label": "all unhealthy" }),
    button("none", () => set("0".repeat(targets.length)), { "aria-label": "none unhealthy" }),
  ];
  const label = `Unhealthy from request ${change + 1} on:`;
  const health = h("div", { class: "np-bar", role: "group", "aria-label": label }, label, ...switches, ...all);
  const across = toggle("cross-zone", cross, (on) => {
    cross = on;
    changed(`Cross-zone is ${on ? "on" : "off"}.`);
  });
  const title = h("p", { class: "np-title" }, "A load balancer's node picks for each request");
  const element = h(
    "div",
    { role: "group", "aria-label": "Load balancer" },
    title,
    h("div", { class: "np-bar" }, across),
  );
  put(element, data.switches ? health : h("p", {}, label, " ", names(ill).join(", ") || "none"));
  put(element, alike, h("div", { class: "np-columns" }, ...columns.map((column) => column.element)));

  /** @param {string} mask */
  function set(mask) {
    ill = mask;
    changed(
      `From request ${change + 1} on, ${listed(names(ill)) || "no target"} ${names(ill).length > 1 ? "are" : "is"} unhealthy.`,
    );
  }

  /** Everything as it is once so many requests have come; and what happened at the last of them. @param {number} count */
  function show(count) {
    const { runs, shares } = state();
    const sick = count > change ? ill : "";
    for (const [at, button] of switches.entries()) {
      const is = ill[at] === "1";
      button.setAttribute("aria-pressed", String(is));
      refill(button, `${targets[at].name} ${is ? "✕" : "✓"}`);
      button.setAttribute("aria-label", `${targets[at].name} ${is ? "unhealthy" : "healthy"}`);
    }
    const most = Math.max(...runs.map(highest));
    columns.forEach((column, at) => {
      column.show(bars(runs[at].slice(0, count), sick), most);
    });
    const when =
      count > change || !ill.includes("1") ? shares : data.states[`${cross ? 1 : 0} ${"0".repeat(ill.length)}`]?.shares;
    const even = when ? ` If each node treated its targets alike: ${grouped(when)}.` : "";
    refill(alike, `Solid: answered. Hatched: in flight.${even}`);
    return told(count);
  }

  /** @param {string} run @param {string} sick @returns {Bar[]} */
  function bars(run, sick) {
    const now = (run.length - 1) * data.interval;
    return targets.map(({ name, seconds, slow }, at) => {
      const letter = String.fromCharCode(97 + at);
      const got = [...run].map((each, number) => ({ each, until: number * data.interval + seconds }));
      const mine = got.filter(({ each }) => each.toLowerCase() === letter);
      const hatched = mine.filter(({ until }) => until > now).length;
      const off = sick[at] === "1";
      const text = hatched ? `${mine.length}, ${hatched} in flight` : `${mine.length}`;
      const here = run[run.length - 1].toLowerCase() === letter;
      return { solid: mine.length - hatched, hatched, text, here, off, label: `${name}${slow ? ", slow" : ""}` };
    });
  }

  /** What happened at the last of so many requests. @param {number} count */
  function told(count) {
    const { runs } = state();
    const well = data.states[`${cross ? 1 : 0} ${"0".repeat(ill.length)}`] ?? state();
    const { zones } = count > change ? state() : well;
    const got = runs.map((run, at) => `${algorithms[at]} picks ${target(run[count - 1])}`);
    const open = /[A-Z]/.test(runs[0][count - 1]) ? " None that it may use is healthy, so the group fails open." : "";
    const named = zones.length < data.zones.length ? `, for DNS names no other than ${listed(zones)}` : "";
    return `Request ${count} comes to the node in zone ${zones[(count - 1) % zones.length]}${named}: ${listed(got)}.${open}`;
  }

  /** @param {string} letter */
  const target = (letter) => (letter === "-" ? "nobody: 503" : targets[letter.toLowerCase().charCodeAt(0) - 97].name);

  /** What each zone's targets get, in words. @param {string[]} shares */
  function grouped(shares) {
    const sets = [...new Set(shares)].map((share) => ({ share, of: targets.filter((_, at) => shares[at] === share) }));
    return sets
      .map(
        ({ share, of }) =>
          `${listed(of.map(({ name }) => name))} ${percent(value(share))}${of.length > 1 ? " each" : ""}`,
      )
      .join("; ");
  }

  /** How it ends. */
  function summary() {
    const ends = state().runs.map((run, at) => {
      const got = bars(run, "").map(({ solid, hatched }) => solid + hatched);
      return `${algorithms[at]}: ${targets.map(({ name }, each) => `${name} ${got[each]}`).join(", ")}`;
    });
    return `In the end, ${ends.join("; ")}.`;
  }

  return { element, show, summary };
}

/** The most requests that one target gets in a run. @param {string} run */
function highest(run) {
  /** @type {Record<string, number>} */
  const counted = {};
  for (const letter of run.toLowerCase()) counted[letter] = (counted[letter] ?? 0) + 1;
  return Math.max(...Object.values(counted));
}

// kube-proxy -----------------------------------------------------------------------------------

/** The second panel. @param {Connections} data @param {(words: string) => void} changed */
function connections(data, changed) {
  let keeps = true;
  let [many, drawn] = [4, 0];
  const column = panel(null, data.pods.length);
  const words = h("p", {});
  const options = data.kept.map((each) => /** @type {[string, string]} */ ([String(each), String(each)]));
  const controls = [
    toggle("keep-alive", keeps, (on) => {
      keeps = on;
      changed(on ? "The client keeps its connections." : "Each request has a connection of its own.");
    }),
    choice(
      "connections kept",
      options,
      (value) => {
        many = Number(value);
        changed(`The client keeps ${count(many, "connection")}.`);
      },
      String(many),
    ),
    button("Draw again", () => {
      drawn = (drawn + 1) % data.draws.length;
      changed("Drawn again.");
    }),
  ];
  const title = h(
    "p",
    { class: "np-title" },
    "kube-proxy's rules pick for each connection: Service ",
    code(data.service),
  );
  const element = h(
    "div",
    { role: "group", "aria-label": "kube-proxy" },
    title,
    h("div", { class: "np-bar" }, ...controls),
  );
  put(element, column.element, words);

  /** @param {number} requests */
  function show(requests) {
    const draws = data.draws[drawn];
    const opened = keeps ? Math.min(many, requests) : requests;
    const pods = Array.from({ length: requests }, (_, number) => draws[keeps ? number % many : number]);
    const got = data.pods.map((_, pod) => pods.filter((each) => each === pod).length);
    column.show(
      data.pods.map((pod, at) => {
        const text = `${got[at]}, expected ${(value(data.shares[at]) * requests).toFixed(1)}`;
        const here = pods[pods.length - 1] === at;
        return { solid: got[at], hatched: 0, text, here, label: pod.replace(/^.*\//, "") };
      }),
      data.count,
    );
    const none = data.pods.filter((_, at) => !got[at]).map((pod) => pod.replace(/^.*\//, ""));
    const left = percent(data.left[data.kept.indexOf(many)]);
    const chance = `The probability that some pod gets none of ${count(many, "connection")} is ${left}.`;
    const kept = `${count(requests, "request")} on ${count(opened, "connection")}, so the rules picked ${count(opened, "time")}.`;
    const idle = keeps && none.length ? ` ${listed(none)} got nothing.` : "";
    const turns = keeps && opened > 1 ? " Requests take the connections in turn." : "";
    refill(words, `${kept}${turns}${idle}${keeps ? ` ${chance}` : ""}`);
    return kept;
  }

  return { element, show };
}

// Bars -----------------------------------------------------------------------------------------

/** Rows of bars, on which requests pile up. @param {Node | null} title @param {number} rows */
function panel(title, rows) {
  const lines = Array.from({ length: rows }, () => {
    const [name, number] = [h("span", { class: "np-name" }), h("span", { class: "np-number" })];
    const [solid, hatched] = [h("span", { class: "np-solid" }), h("span", { class: "np-hatched" })];
    const pile = h("span", { class: "np-pile", "aria-hidden": "true" }, solid, hatched);
    return { name, number, solid, hatched, row: h("li", {}, name, number, pile) };
  });
  const list = h(
    "ul",
    { class: "np-rows" },
    lines.map(({ row }) => row),
  );
  const element = h("div", { class: "np-panel" }, title && h("p", { class: "np-algorithm" }, title), list);

  /** @param {Bar[]} bars @param {number} most as many requests make a whole bar */
  function show(bars, most) {
    bars.forEach(({ solid, hatched, text, here, label, off }, at) => {
      const line = lines[at];
      refill(line.name, here ? "▸ " : "", label, off ? " ✕ unhealthy" : "");
      refill(line.number, text);
      line.solid.style.width = `${(solid / most) * 100}%`;
      line.hatched.style.width = `${(hatched / most) * 100}%`;
      line.row.className = here ? "np-here" : "";
    });
  }
  return { element, show };
}

// Words ----------------------------------------------------------------------------------------

/** @param {string} share */
function value(share) {
  const [part, whole] = share.split("/").map(Number);
  return whole ? part / whole : part;
}

/** @param {number} share */
const percent = (share) => `${Number((share * 100).toFixed(1))} %`;

/** @param {number} number @param {string} what */
const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

/** @param {string[]} texts */
const listed = (texts) =>
  texts.length > 1 ? `${texts.slice(0, -1).join(", ")} and ${texts[texts.length - 1]}` : (texts[0] ?? "");

export default {
  /** @param {import("./kit.js").Context} context */
  render(context) {
    return mount(context, "balancing", draw);
  },
};
