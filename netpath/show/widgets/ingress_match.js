// @ts-check
/**
 * A host and a path against a cluster's Ingresses: by the specification, and as ingress-nginx does it.
 *
 * This is `netpath.ingress` over again, for pages without Python, in the same order and the same words; the data is
 * `netpath.show.widgets.ingress_data.compiled`. A test puts the same questions to both and allows no difference.
 * As there, text is bytes to nginx: strings of characters up to 0xFF.
 */

/** @typedef {[rule: string, matched: boolean, why: string, at: string]} Step
 * @typedef {{code: string, rule: string, status: number | null, location: string | null, backend: string | null,
 *   endpoints: string[], target: string | null, uri: string, upstream: string, canary: string, notes: string[],
 *   steps: Step[]}} Told
 * @typedef {{source: string | null, flags: string, pattern: string}} Regex
 * @typedef {{host: string, text: string, path: string, exact: boolean, open: boolean, rank: number[],
 *   backend: string, endpoints: string[], at: string}} Candidate
 * @typedef {{wanted: string, backend: string, endpoints: string[]}} Default
 * @typedef {{at: string, hosts: string[], candidates: Candidate[], default: Default | null}} Ingress
 * @typedef {{text: string, modifier: string, name: string, slash: boolean, regex: Regex | null, at: string,
 *   silent: boolean, status: number, elsewhere: string, denied: string, redirect: [number, string] | null,
 *   rewrite: {text: string, regex: Regex, target: string} | null, https: string, slashed: boolean, ranges: string,
 *   upstream: string, unmodelled: [string, string][]}} Location
 * @typedef {{names: string[], root: string, locations: Location[]}} Server
 * @typedef {{backend: string | null, known: boolean, external: boolean, endpoints: string[], builtin: boolean,
 *   canary: string}} Upstream
 * @typedef {{servers: Server[], default: number, certificates: string[], upstreams: Record<string, Upstream>,
 *   regexes: {server: number, by: string, regex: Regex, pattern: string}[],
 *   ignored: {hosts: string[], rule: string, why: string}[]}} Nginx
 * @typedef {{ingresses: Ingress[], default: Default | null}} Rules
 * @typedef {{specification: Rules, nginx: Nginx, happened: Record<string, string>}} Data
 * @typedef {{location: Location | null, redirect: boolean}} Found
 */

/** A regular expression that the page can't be sure to read as nginx does. */
export class BeyondThisPage extends Error {}

/** Both answers for a host and a path as a reader types them, and why they differ.
 * @param {Data} data @param {string} host @param {string} path
 */
export function compare(data, host, path) {
  const target = sent(path);
  const asked = before(target, "?");
  const specified = specification(data.specification, bare(host), asked);
  const nginx = new Walk(data, host, target).decide();
  const differ = same(specified, nginx) ? [] : [...differences(host, asked, specified, nginx)];
  return { target, specification: specified, nginx, differ };
}

/** Whether both send the request to the same Service, or both find no place for it.
 * @param {Told} specified @param {Told} nginx
 */
const same = (specified, nginx) =>
  (nginx.status === null || nginx.status === 404 || nginx.status === 503) && specified.backend === nginx.backend;

/** A host without its port. @param {string} host */
const bare = (host) => host.replace(/:[0-9]*$/, "");

const BY_STATUS = /** @type {Record<number, string>} */ ({
  301: "nginx wants the slash that the path lacks, and answers with a redirect",
  400: "nginx refuses what it can't read, where the specification only compares",
  403: "an annotation keeps clients out, of which the specification knows nothing",
  414: "nginx has no room for so long a request line",
});
const BY_ANNOTATION = "an annotation answers in the Service's place, of which the specification knows nothing";
const BY_REGEX =
  "use-regex or a rewrite-target on one path makes a regular expression of every path of the host: it ignores case, " +
  "and it matches the beginning of an element too";
const BY_HOST = "nginx leaves out the dot at the end of the host";
const BY_SERVER = "each host of a rule is a server of its own, and nginx asks no other for what is missing there";
const BY_OWN = "the controller has an order, names and a default of its own";

/** The reasons for which nginx does something else, the most telling first; at least one.
 * @param {string} host @param {string} path @param {Told} specified @param {Told} nginx
 */
function* differences(host, path, specified, { status, uri, rule }) {
  const named = normalHost(wire(host));
  const cleaned = uri !== "" && uri !== path;
  const regex = rule.startsWith("location ~*");
  const dotted = named !== null && unwire(named) !== bare(host).toLowerCase();
  const server = status === 404 && specified.rule.startsWith("defaultBackend");
  const answered = status !== null && status !== 404 && status !== 503;
  if (cleaned) yield `nginx decodes and cleans the path first: ${quoted(path)} is ${quoted(uri)}`;
  if (regex) yield BY_REGEX;
  if (dotted) yield BY_HOST;
  if (server) yield BY_SERVER;
  if (answered) yield BY_STATUS[status] ?? BY_ANNOTATION;
  if (!(cleaned || regex || dotted || server || answered)) yield BY_OWN;
}

// Text -----------------------------------------------------------------------------------------

/** A path as it is sent: with a slash at its start, ASCII, without spaces and fragment. @param {string} typed */
export function sent(typed) {
  const path = before(typed, "#");
  return (path.startsWith("/") ? path : `/${path}`).replace(/[^\x21-\x7e]/gu, encodeURIComponent);
}

/** What stands before a mark, or all. @param {string} text @param {string} mark */
const before = (text, mark) => (text.includes(mark) ? text.slice(0, text.indexOf(mark)) : text);

/** A text between quotes as Python's repr writes it. @param {string} text */
export function quoted(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const named = /** @type {Record<string, string>} */ ({ "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" });
  const inside = text.replace(/[\p{C}\p{Z}\\'"]/gu, (found) => {
    if (found === " " || (/['"]/.test(found) && found !== quote)) return found;
    if (found === quote) return `\\${found}`;
    const code = /** @type {number} */ (found.codePointAt(0));
    const hex = code.toString(16);
    if (named[found]) return named[found];
    if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
    return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return quote + inside + quote;
}

/** UTF-8's bytes, a character each; a lone surrogate is the byte that `unwire` made it of. @param {string} text */
const wire = (text) => Array.from(text, bytes).join("");

/** @param {string} character */
const bytes = (character) =>
  /^[\udc80-\udcff]$/.test(character)
    ? String.fromCharCode(character.charCodeAt(0) - 0xdc00)
    : String.fromCharCode(...new TextEncoder().encode(character));

/** The text that bytes are; a byte that is none of UTF-8 becomes a lone surrogate, as in Python. @param {string} text */
const unwire = (text) =>
  text.replace(
    /([\xc2-\xdf][\x80-\xbf]|(?:\xe0[\xa0-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]|\xed[\x80-\x9f])[\x80-\xbf]|(?:\xf0[\x90-\xbf]|[\xf1-\xf3][\x80-\xbf]|\xf4[\x80-\x8f])[\x80-\xbf]{2})|[\x80-\xff]/g,
    (found, valid) => (valid ? decodeURIComponent(percent(found)) : String.fromCharCode(0xdc00 + found.charCodeAt(0))),
  );

/** @param {string} text */
const percent = (text) =>
  text.replace(/[^]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);

/** A decoded path made fit for a request line again (ngx_escape_uri). @param {string} uri */
const escaped = (uri) => uri.replace(/[^!$&-;=@-[\]_a-z~]/g, percent);

/** The regular expression, for texts that went through `lift`. @param {Regex} regex */
function compiled({ source, flags, pattern }) {
  if (source === null) throw new BeyondThisPage(pattern);
  return new RegExp(source, flags);
}

/** Bytes beyond ASCII where they have no case. @param {string} text */
const lift = (text) => text.replace(/[\x80-\xff]/g, (c) => String.fromCharCode(0xe000 + c.charCodeAt(0)));

/** @param {string} text */
const unlift = (text) => text.replace(/[\ue080-\ue0ff]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xe000));

// The specification ----------------------------------------------------------------------------

const OPEN_TYPE = "ImplementationSpecific: the specification leaves matching to the controller; taken as Prefix here";
const OPEN_TIE = "two Ingresses claim the same host and path: the specification names no winner; the oldest is taken";
const OPEN_HOST = "precise before wildcard before no host is custom: the specification states no order of hosts";

/** @param {Candidate} own @param {string} path */
function covers(own, path) {
  if (own.exact) return path === own.path;
  const prefix = own.path.replace(/\/$/, "");
  return path.startsWith(prefix) && ["", "/"].includes(path.charAt(prefix.length));
}

/** Less than 0: `one` is outranked. @param {Candidate} one @param {Candidate} other */
function ranked(one, other) {
  const at = [0, 1, 2].find((each) => one.rank[each] !== other.rank[each]);
  return at === undefined ? 0 : one.rank[at] - other.rank[at];
}

/** The specification's answer. @param {Rules} rules @param {string} host @param {string} path @returns {Told} */
function specification({ ingresses, default: last }, host, path) {
  const lower = host.toLowerCase();
  const [label, rest] = [before(lower, "."), lower.slice(before(lower, ".").length + 1)];
  const wanted = [...new Set([lower, label && rest ? `*.${rest}` : "", ""])];
  const hosts = wanted.filter((each) => ingresses.some((ingress) => ingress.hosts.includes(each)));
  const rules = hosts.map((each) =>
    ingresses.flatMap((one) =>
      one.candidates.filter((own) => own.host === each).map((own) => ({ ...own, at: one.at })),
    ),
  );
  const matching = (rules[0] ?? []).filter((own) => covers(own, path));
  /** @type {Candidate | undefined} */
  const best = matching.reduce(
    (most, own) => (most && ranked(own, most) <= 0 ? most : own),
    /** @type {Candidate | undefined} */ (undefined),
  );
  const steps = rules.flatMap((candidates, position) =>
    candidates.map((own) => {
      const why = position ? `${quoted(hosts[0])} is more specific than ${quoted(own.host)}` : reason(own, path, best);
      return /** @type {Step} */ ([own.text, own === best, why, own.at]);
    }),
  );
  if (!hosts.length) steps.push(["rules", false, `no rule's host covers ${quoted(lower)}`, ""]);
  if (best) {
    const notes = [
      best.open && OPEN_TYPE,
      matching.some((own) => own !== best && ranked(own, best) === 0) && OPEN_TIE,
      hosts.length > 1 && OPEN_HOST,
    ];
    return told("INGRESS_MATCHED", best.text, steps, { ...given(best), notes: notes.filter((each) => each !== false) });
  }
  const owners = hosts.length ? ingresses.filter((one) => one.hosts.includes(hosts[0])) : [];
  const chosen = [...owners, ...ingresses.filter((one) => !one.hosts.length)].find((one) => one.default)?.default;
  if (chosen) return told("INGRESS_MATCHED", `defaultBackend -> ${chosen.wanted}`, steps, given(chosen));
  if (last) return told("INGRESS_MATCHED", `default backend -> ${last.wanted}`, steps, given(last));
  return told("INGRESS_NO_RULE", "", steps, { status: 404 });
}

/** @param {{backend: string, endpoints: string[]}} chosen */
const given = ({ backend, endpoints }) => ({ backend, endpoints });

/** Why a candidate won or lost. @param {Candidate} own @param {string} path @param {Candidate | undefined} best */
function reason(own, path, best) {
  if (!covers(own, path)) {
    const [asked, had] = [quoted(path), quoted(own.path)];
    return own.exact ? `${asked} is not ${had}` : `${asked} is not under ${had} element by element`;
  }
  if (!best || own === best) return `${quoted(path)} matches, and no other path is longer`;
  if (ranked(own, best) === 0) return `the same host and path as ${best.at}, which is older or stands first`;
  if (own.rank[0] !== best.rank[0] || !best.exact) return `${quoted(best.path)} is longer`;
  return "Exact wins over Prefix among equals";
}

/** @param {string} code @param {string} rule @param {Step[]} steps @param {Partial<Told>} more @returns {Told} */
const told = (code, rule, steps, more) => ({
  ...{ code, rule, status: null, location: null, backend: null, endpoints: [], target: null },
  ...{ uri: "", upstream: "", canary: "", notes: [], steps, ...more },
});

// What nginx does before it proxies ------------------------------------------------------------

/** The Host header as servers are looked up by, null where nginx answers 400. @param {string} host */
export function normalHost(host) {
  let [end, dot, state] = [host.length, host.length, "usual"];
  for (const [position, character] of [...host].entries()) {
    if (character === ".") {
      if (dot === position - 1) return null;
      dot = position;
    } else if (character === ":" && state === "usual") [end, state] = [position, "rest"];
    else if (character === "[" && position === 0) state = "literal";
    else if (character === "]" && state === "literal") [end, state] = [position + 1, "rest"];
    else if (character === "/" || character <= " " || character === "\x7f") return null;
  }
  if (dot === end - 1) end -= 1;
  return host.slice(0, end).replace(/[A-Z]/g, (c) => c.toLowerCase()) || null;
}

/** The decoded, cleaned path and the query, null where nginx answers 400. @param {string} target
 * @returns {{uri: string, query: string | null} | null}
 */
export function normalUri(target) {
  const path = before(target, "?");
  const query = path === target ? null : target.slice(path.length + 1);
  if (!/%|\/\/|\/\./.test(path)) return { uri: path, query };
  if (/%(?![0-9a-fA-F]{2})|%00/.test(path)) return null;
  const decoded = path.replace(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  if (!decoded.startsWith("/")) return null;
  /** @type {string[]} */
  const kept = [];
  const elements = decoded.slice(1).split("/");
  const last = elements[elements.length - 1];
  for (const [at, element] of elements.entries()) {
    if (element === "..") {
      if (!kept.length) return null;
      kept.pop();
    } else if (element !== "" && element !== "." && at < elements.length - 1) kept.push(element);
  }
  return { uri: `/${[...kept, [".", ".."].includes(last) ? "" : last].join("/")}`, query };
}

/** The location of a normalised path (ngx_http_core_find_location). @param {Location[]} locations @param {string} uri
 * @returns {Found}
 */
export function find(locations, uri) {
  const exact = (/** @type {string} */ name) => locations.find((each) => each.modifier === "=" && each.name === name);
  const prefixes = locations.filter((each) => ["", "^~"].includes(each.modifier));
  const prefix = (/** @type {string} */ name) => prefixes.find((each) => each.name === name);
  const own = exact(uri);
  if (own) return { location: own, redirect: false };
  if (!prefix(uri)) {
    const [first, second] = [exact(`${uri}/`), prefix(`${uri}/`)];
    if (first?.slash || second?.slash) return { location: /** @type {Location} */ (first ?? second), redirect: true };
  }
  const longest = prefixes
    .filter((each) => uri.startsWith(each.name))
    .reduce(
      (most, each) => (most && most.name.length >= each.name.length ? most : each),
      /** @type {Location | null} */ (null),
    );
  const patterns = longest?.modifier === "^~" ? [] : locations.filter((each) => each.regex);
  return { location: patterns.find((each) => matches(each, uri)) ?? longest, redirect: false };
}

/** @param {Location} location @param {string} uri */
const matches = (location, uri) => compiled(/** @type {Regex} */ (location.regex)).test(lift(uri));

/** The server for a name, and the name of it that matched. @param {Nginx} nginx @param {string} host
 * @returns {{server: number, by: string}}
 */
export function select(nginx, host) {
  const names = nginx.servers
    .flatMap((each, server) => each.names.map((by) => ({ server, by, name: by.toLowerCase() })))
    .filter(({ name }) => !name.startsWith("~"));
  const labels = host.split(".");
  const cuts = labels.slice(1).map((_, at) => at + 1);
  const wanted = [
    [host, `.${host}`],
    ...cuts.map((cut) => labels.slice(cut).join(".")).map((tail) => [`*.${tail}`, `.${tail}`]),
    ...[...cuts].reverse().map((cut) => [`${labels.slice(0, cut).join(".")}.*`]),
  ];
  for (const either of wanted) {
    const found = names.find(({ name }) => either.includes(name));
    if (found) return found;
  }
  const pattern = nginx.regexes.find(({ regex }) => compiled(regex).test(lift(host)));
  return pattern ? { server: pattern.server, by: pattern.by } : { server: nginx.default, by: "" };
}

// The controller -------------------------------------------------------------------------------

const SLASHLESS = "rewrite-target gives a path without its first slash: nginx sends it so, and most servers answer 400";
const EXTERNAL = "an ExternalName Service: the controller would resolve its name, which is not modelled";
const CODES = /** @type {Record<number, string>} */ ({
  200: "INGRESS_ANSWERED",
  400: "INGRESS_BAD_REQUEST",
  403: "INGRESS_FORBIDDEN",
  404: "INGRESS_DEFAULT_BACKEND",
  414: "INGRESS_URI_TOO_LONG",
  500: "INGRESS_REWRITE_EMPTY",
});
const LONGEST = 8 * 1024 - "GET".length - 12;

/** One request on its way through nginx's phases. */
class Walk {
  /** @param {Data} data @param {string} host @param {string} target */
  constructor(data, host, target) {
    this.nginx = data.nginx;
    this.happened = data.happened;
    this.header = host;
    this.target = target;
    this.host = this.uri = this.path = "";
    /** @type {string | null} */
    this.query = null;
    /** @type {{server: number, by: string} | null} */
    this.selected = null;
    /** @type {Found | null} */
    this.found = null;
  }

  /** @returns {Told} */
  decide() {
    if (this.target.length > LONGEST) return this.answer(414, "large_client_header_buffers 4 8k;");
    const [normal, host] = [normalUri(this.target), normalHost(wire(this.header))];
    if (!normal || !host) return this.answer(400, normal ? `Host: ${this.header}` : this.target);
    [this.uri, this.path, this.query, this.host] = [normal.uri, normal.uri, normal.query, host];
    this.selected = select(this.nginx, host);
    const server = this.nginx.servers[this.selected.server];
    if (server.root && this.uri === "/") {
      const rule = `if ($uri = /) { return 302 $scheme://$http_host${server.root}; }`;
      return this.redirect(302, `http://${this.header}${server.root}`, rule);
    }
    this.found = find(server.locations, this.uri);
    const location = this.found.location;
    return location ? this.enter(location) : this.answer(404, "location /");
  }

  /** @param {Location} location @returns {Told} */
  enter(location) {
    const { text, elsewhere, status, denied } = location;
    if (this.found?.redirect) {
      const query = this.query ? `?${this.query}` : "";
      return this.redirect(301, `http://${unwire(this.host)}${escaped(location.name)}${query}`, text);
    }
    if (elsewhere) return this.redirect(308, `http://${elsewhere}${this.unslashed}`, text);
    if (status) return this.answer(status, text);
    if (denied) return this.answer(503, denied, { code: "INGRESS_LOCATION_DENIED" });
    if (location.redirect) {
      const [code, url] = location.redirect;
      return this.redirect(code, this.expanded(url), `return ${code} ${url};`);
    }
    const target = location.rewrite ? this.rewritten(location.rewrite) : this.target;
    return typeof target === "string" ? this.lua(location, target) : target;
  }

  /** What the controller's Lua code decides, then source ranges, then the content. @param {Location} location @param {string} target */
  lua(location, target) {
    if (location.https === "force-ssl-redirect" || (location.https && this.secure())) {
      const url = `https://${before(this.header, ":")}${location.slashed ? this.target : this.unslashed}`;
      return this.redirect(308, url, `${location.https}: true`);
    }
    const upstream = this.nginx.upstreams[location.upstream];
    if (!upstream || !(upstream.endpoints.length || upstream.builtin)) {
      const code = upstream?.known ? "INGRESS_NO_ENDPOINTS" : "INGRESS_SERVICE_NOT_FOUND";
      return this.answer(503, `upstream ${location.upstream}`, { code, upstream });
    }
    if (location.ranges) return this.answer(403, location.ranges);
    if (upstream.builtin) return this.answer(404, `${location.text}: ${location.upstream}`);
    const notes = location.unmodelled.map(([name]) => name);
    if (location.rewrite && !this.path.startsWith("/")) notes.push(SLASHLESS);
    const { canary } = upstream;
    const more = { backend: upstream.backend, endpoints: upstream.endpoints, target, canary, notes };
    return this.told("INGRESS_PROXIED", location.text, { ...more, upstream: location.upstream });
  }

  /** @param {number} status @param {string} url @param {string} rule */
  redirect(status, url, rule) {
    return this.told("INGRESS_REDIRECTED", rule, { status, location: url });
  }

  /** @param {number} status @param {string} rule @param {{code?: string, upstream?: Upstream}} [more] */
  answer(status, rule, { code = CODES[status], upstream } = {}) {
    const location = this.found?.location;
    const notes = (location?.unmodelled ?? []).map(([name]) => name);
    if (upstream?.external) notes.push(EXTERNAL);
    const named = upstream && location ? { backend: upstream.backend, upstream: location.upstream } : {};
    return this.told(code, rule, { status, notes, ...named });
  }

  /** @param {string} code @param {string} rule @param {Partial<Told>} more */
  told(code, rule, more) {
    return told(code, rule, [...this.steps(code, rule)], { uri: this.uri, ...more });
  }

  get unslashed() {
    return this.target.replace(/\/$/, "");
  }

  /** Whether there is a certificate for the host: its own or a wildcard's. */
  secure() {
    const label = before(this.host, ".");
    const names = [this.host, ...(label && label !== this.host ? [`*${this.host.slice(label.length)}`] : [])];
    return names.some((name) => this.nginx.certificates.includes(name));
  }

  /** A text with nginx's variables put in, those that the model knows. @param {string} text */
  expanded(text) {
    const known = /** @type {Record<string, string>} */ ({
      request_uri: this.target,
      uri: unwire(this.uri),
      args: this.query || "",
      is_args: this.query ? "?" : "",
      host: unwire(this.host),
      http_host: this.header,
      scheme: "http",
    });
    const word = /\$(?:\{([\p{L}\p{N}_]+)\}|([\p{L}\p{N}_]+))/gu;
    return text.replace(word, (all, braced, plain) =>
      Object.hasOwn(known, braced ?? plain) ? known[braced ?? plain] : all,
    );
  }

  /** The target after `rewrite "(?i)PATH" TARGET break`, or the answer. @param {{text: string, regex: Regex, target: string}} rewrite */
  rewritten({ text, regex, target }) {
    const match = compiled(regex).exec(lift(this.uri));
    if (!match) return this.target;
    const path = before(target, "?");
    const marked = path !== target;
    const own = target.slice(path.length + 1);
    const uri = grouped(wire(this.expanded(path)), match, false);
    const args = grouped(wire(this.expanded(own)), match, /[%+]/.test(before(this.target, "?")));
    const kept = marked && (!own || own.endsWith("?")) ? "" : this.query || "";
    const both = [args.replace(/\?$/, ""), kept].filter(Boolean).join("&");
    const tail = both ? `?${both}` : "";
    if (/^(https?:\/\/|\$scheme)/.test(target)) return this.redirect(302, uri + tail, text);
    if (!uri) return this.answer(500, text);
    this.path = uri;
    return (uri.startsWith("/") ? "" : "/") + escaped(uri) + tail;
  }

  // The record ---------------------------------------------------------------------------------

  /** Every rule that could have decided, in nginx's order. @param {string} code @param {string} rule @returns {Generator<Step>} */
  *steps(code, rule) {
    if (!this.selected) return yield [rule, true, this.happened[code], "request line"];
    for (const { hosts, rule: ingress, why } of this.nginx.ignored)
      if (!hosts.length || hosts.includes("") || hosts.includes(this.host))
        yield [ingress, false, `not taken: ${why}`, "ingress class"];
    yield* this.serverSteps(this.selected);
    const found = this.found;
    if (!found) return yield [rule, true, `the path is /, and ${quoted(this.host)} has an app-root`, "server rewrite"];
    for (const location of this.nginx.servers[this.selected.server].locations)
      yield [location.text, location === found.location, why(location, this.uri, found), location.at];
    if (found.location && !found.location.silent) yield* this.placeSteps(found.location, code, rule);
  }

  /** @param {{server: number, by: string}} selected @returns {Generator<Step>} */
  *serverSteps({ by }) {
    const host = quoted(this.host);
    if (by && !by.startsWith("~")) return yield [`server_name ${by};`, true, `${host} is this name`, "server"];
    yield ["server_name (exact)", false, `no server has the name ${host}`, "server"];
    for (const other of this.nginx.regexes) {
      const won = other.by === by;
      const why = won ? `${host} matches` : `${host} does not match ${quoted(other.pattern)}`;
      yield [`server_name ${other.by};`, won, why, "server"];
      if (won) return;
    }
    yield ["server_name _;", true, "no name matches: the default server", "server"];
  }

  /** @param {Location} location @param {string} code @param {string} rule @returns {Generator<Step>} */
  *placeSteps(location, code, rule) {
    const { at, rewrite, unmodelled } = location;
    const passed = code === "INGRESS_PROXIED" || code === "INGRESS_DEFAULT_BACKEND";
    if (!passed) yield [rule, true, this.happened[code], at];
    if (rewrite) {
      const changed = this.path !== this.uri;
      const became = `${quoted(this.uri)} becomes ${quoted(this.path)}`;
      yield [rewrite.text, changed, changed ? became : "doesn't apply", at];
    }
    if (passed) {
      const { builtin, endpoints } = this.nginx.upstreams[location.upstream];
      const count = `${endpoints.length} ready endpoint${endpoints.length === 1 ? "" : "s"}`;
      yield [`upstream ${location.upstream}`, true, builtin ? "the controller's own 404" : count, at];
    }
    for (const [, text] of unmodelled) yield [text, false, "not modelled: it may change what happens", at];
  }
}

/** `$1` and so on, put in. @param {string} text @param {RegExpExecArray} match @param {boolean} escape */
const grouped = (text, match, escape) =>
  text.replace(/\$(\d)/g, (_, number) => {
    const value = unlift(match[number] ?? "");
    return escape ? value.replace(/[^!$'-*,-:=@-[\]_a-z~]/g, percent) : value;
  });

/** Why a location won or lost. @param {Location} location @param {string} uri @param {Found} found */
function why(location, uri, { location: winner, redirect }) {
  const asked = quoted(uri);
  if (location === winner) return redirect ? `${asked} lacks only the slash at the end: 301` : `${asked} matches first`;
  if (location.regex)
    return matches(location, uri) ? "matches too, but a location before it does" : `${asked} does not match`;
  if (location.modifier === "=") return `${asked} is not ${quoted(location.name)}`;
  if (!uri.startsWith(location.name)) return `${asked} does not begin with ${quoted(location.name)}`;
  if (winner?.regex) return "matches too, but a regular expression goes before a prefix";
  if (winner?.modifier === "=") return "matches too, but an exact location goes first";
  return "matches too, but another prefix is longer";
}
