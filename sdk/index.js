// The JavaScript face of the SDK. Importing it does nothing, in a browser and on a server alike: everything begins
// with init(). The core behind it is WebAssembly, loaded once.
import load, { Core } from "./latchkey_sdk.js";

/** What every promise of the SDK is rejected with. */
export class LatchkeyError extends Error {
  constructor(code, message, hint) {
    super(message || hint);
    this.code = code;
    this.hint = hint ?? message;
  }
}
LatchkeyError.prototype.name = "LatchkeyError";

const invalid = (message) => new LatchkeyError("invalid_options", message);
const aborted = () => new LatchkeyError("aborted", "The call was aborted by its signal.");

/** Clients that are loading or alive, by platform and client id. */
const clients = new Map();

const text = (value) => (typeof value == "string" ? value : "");

const originOf = (address) => {
  try {
    return new URL(address).origin;
  } catch {
    return "";
  }
};

export function init(options) {
  options = Object(options);
  const clientId = text(options.clientId ?? options.client_id);
  const key = text(options.platform).replace(/\/$/, "") + " " + clientId;
  if (typeof document == "undefined") {
    return Promise.reject(invalid("init() runs in a browser: call it on the page."));
  }
  if (!clients.has(key)) {
    // Before anything else is loaded: what the page requests from here on must not carry the response along.
    const response = takeResponse(clientId);
    strip?.remove();
    const started = Client.start(key, response, options);
    clients.set(key, started);
    started.catch((error) => {
      clients.delete(key);
      explain(error, options);
    });
  }
  return clients.get(key);
}

class Client extends EventTarget {
  #key;
  #core;
  #host;
  #platform;
  #response;
  #state = "loading";
  #session = null;
  #token = null;
  #ended = false;

  get state() {
    return this.#state;
  }

  get session() {
    return this.#session;
  }

  async login(options) {
    options = Object(options);
    const { signal } = options;
    const abort = () => this.#core.hear("abort", "");
    if (signal != null && !(signal instanceof AbortSignal)) throw invalid("signal: give the signal of an AbortController");
    if (signal?.aborted) throw aborted();
    signal?.addEventListener("abort", abort);
    try {
      await this.#host.wait("login", () => this.#core.login(options));
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    return this.#session;
  }

  async handleRedirect() {
    const response = this.#response;
    this.#response = undefined;
    if (response == null) return null;
    await this.#host.wait("login", () => this.#core.hear("resume", response));
    return this.#session;
  }

  logout() {
    return this.#host.wait("logout", () => this.#core.hear("logout", ""));
  }

  async fetch(path, init) {
    const url = this.#resolve(path);
    this.#core.allow(url);
    const token = this.#token;
    let request;
    try {
      const headers = new Headers(init?.headers);
      headers.set("Authorization", "Bearer " + token);
      request = new Request(url, { ...init, headers, credentials: "omit" });
    } catch {
      throw invalid("fetch: the second argument takes what the browser's own fetch takes");
    }
    const response = await fetch(request).catch(() => {
      throw request.signal.aborted ? aborted() : new LatchkeyError("network_error", "The platform could not be reached. Check the network, and connect-src in this site's Content-Security-Policy.");
    });
    if (response.status == 401) this.#core.hear("rejected", token);
    return response;
  }

  /** The absolute address of a path below the session's organization, or below the platform; empty for none. */
  #resolve(path) {
    const organization = encodeURIComponent(this.#session?.organization.slug);
    try {
      return new URL(path, `${this.#platform}/api/0/organizations/${organization}/`).href;
    } catch {
      return "";
    }
  }

  async getToken() {
    return this.#token;
  }

  destroy() {
    // Another client may have come in the place of one that was destroyed before.
    if (this.#ended) return;
    this.#ended = true;
    clients.delete(this.#key);
    this.#core.hear("destroy", "");
  }

  static async start(key, response, options) {
    const client = new Client();
    client.#key = key;
    client.#response = response;
    await client.#load(options);
    return client;
  }

  async #load(options) {
    const { container, timeoutMs } = options;
    const deadline = Date.now() + (timeoutMs > 0 ? timeoutMs : 10_000);
    await loaded(deadline - Date.now());
    // The platform's window looks for the frame among the page's own, where those of a shadow tree are not listed.
    if (container != null && !(container instanceof Element && container.getRootNode() == document)) {
      throw invalid("container: give an element of the page, outside of shadow trees");
    }
    this.#host = new Host(
      container,
      (state, session, token) => {
        this.#state = state;
        this.#session = session;
        this.#token = token;
        this.dispatchEvent(new Event("statechange"));
      },
      (error) => this.dispatchEvent(Object.assign(new Event("error"), { error })),
    );
    const { origin, pathname } = location;
    this.#platform = originOf(options.platform);
    this.#core = this.#host.core = new Core(this.#host, options, origin, origin + pathname, this.#platform);
    await this.#host.wait("init", () => this.#core.start(deadline - Date.now()));
  }
}

/** The core's code, within the time: a promise that rejects with what stands in its way. */
async function loaded(ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(reject, ms, new LatchkeyError("timeout", "latchkey_sdk_bg.wasm did not load in time."));
  });
  try {
    await Promise.race([load(), late]);
  } catch (error) {
    throw error instanceof LatchkeyError ? error : notLoaded();
  } finally {
    clearTimeout(timer);
  }
}

/** Why the core could not be loaded: the page's policy refuses all WebAssembly, or only this file is missing. */
function notLoaded() {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  } catch {
    return new LatchkeyError(
      "wasm_blocked",
      "Add 'wasm-unsafe-eval' to script-src in this site's Content-Security-Policy.",
    );
  }
  return new LatchkeyError(
    "network_error",
    "latchkey_sdk_bg.wasm could not be loaded. Serve it beside index.js, and allow it in connect-src of this site's Content-Security-Policy.",
  );
}

/** What an authorization response consists of; what else stands in the address belongs to the page. */
const RESPONSE =
  /^(state|iss|client_id|origin|code|access_token|token_type|expires_in|scope|error|error_description|error_uri)=/;

/**
 * Takes an authorization response to this application out of the address bar and the history, and leaves the rest of
 * the address as it was. A response is ours when it answers the request this tab waits for, and when it names this
 * application: then it may be forged, and handleRedirect() refuses it.
 */
function takeResponse(clientId) {
  let pending = "";
  try {
    pending = sessionStorage.getItem("latchkey." + clientId) || "";
  } catch {}
  for (const part of ["hash", "search"]) {
    const response = location[part].slice(1);
    const fields = new URLSearchParams(response);
    const state = fields.get("state");
    const answers = fields.has("error") || fields.has("access_token") || fields.has("code");
    if (!state || !answers || !(pending.endsWith(" " + state) || (clientId && fields.get("client_id") == clientId))) continue;
    const rest = response.split("&").filter((pair) => !RESPONSE.test(pair)).join("&");
    const [search, hash] = part == "hash" ? [location.search, rest && "#" + rest] : [rest && "?" + rest, location.hash];
    history.replaceState(history.state, "", location.pathname + search + hash);
    return response;
  }
}

/** Every part is important, so that no rule of the page reaches the frame. */
const style = (parts) => parts.map((part) => part + "!important").join(";");

const FRAME = ["all:initial", "border:0", "border-radius:14px"];
const DOCKED = [
  "position:fixed",
  "right:16px",
  "bottom:16px",
  "max-width:calc(100vw - 32px)",
  "max-height:calc(100vh - 32px)",
  "z-index:2147483647",
  "box-shadow:0 1px 2px rgba(0,0,0,.16),0 8px 32px rgba(0,0,0,.2)",
];
const CONTAINED = ["display:block", "width:100%"];

/** The core's hands in the browser: what src/host.rs asks for. Nothing is decided here. */
class Host {
  #container;
  #waiting = { init: [], login: [], logout: [] };
  #ended = new AbortController();
  #timer;
  #frame;
  #port;
  #popup;
  #setup;
  core;

  /** Without a container the frame is docked to the page's corner. */
  constructor(container, changed, report) {
    this.#container = container;
    this.changed = changed;
    this.report = report;
  }

  // Promises.

  /** A promise that the core settles, for a step that begins at once. */
  wait(kind, begin) {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting[kind];
      waiting.push([resolve, reject]);
      try {
        begin();
      } catch (error) {
        // It did not come to wait after all.
        waiting.pop();
        throw error;
      }
    });
  }

  settle(kind, error) {
    const waiting = this.#waiting[kind].splice(0);
    for (const [resolve, reject] of waiting) error ? reject(error) : resolve();
    return waiting.length > 0;
  }

  error(code, message, hint) {
    const error = new LatchkeyError(code, message, hint);
    if (code == "origin_not_allowed") error.setupUrl = this.#setup;
    return error;
  }

  session(id, slug, name, userId, userName, scopes, expiresAt) {
    return {
      organization: { id, slug, name },
      user: { id: userId, name: userName },
      scopes: scopes.split(" ").filter(Boolean),
      expiresAt: new Date(expiresAt),
    };
  }

  // Time, chance and the network.

  wake(ms) {
    clearTimeout(this.#timer);
    // A longer wait than a timer can count is cut: whoever is woken looks at the time again.
    if (ms < Infinity) this.#timer = setTimeout(() => this.core.hear("tick", this.#popup?.closed ? "closed" : ""), Math.min(ms, 2 ** 31 - 1));
  }

  random() {
    const bytes = crypto.getRandomValues(new Uint8Array(24));
    return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_");
  }

  send(kind, url, token, expiresAt, form) {
    const headers = {};
    if (token) headers.authorization = "Bearer " + token;
    // The page may be left in the same moment as it signs out: the form outlives it.
    const init = { credentials: "omit", cache: "no-store", headers, signal: AbortSignal.timeout(30_000) };
    if (form) Object.assign(init, { method: "POST", keepalive: true, body: new URLSearchParams(form) });
    fetch(url, init).then(
      (response) => {
        const answered = (body) => {
          // A link for people: it leads to the platform it comes from, and nowhere else.
          if (kind == "status" && originOf(body?.setup_url) == originOf(url)) this.#setup = body.setup_url;
          this.core.answered(kind, response.status, body, token, expiresAt);
        };
        response.json().then(answered, () => answered());
      },
      () => this.core.answered(kind, 0, undefined, token, expiresAt),
    );
  }

  act(what, text) {
    this[what](text);
  }

  // The frame.

  mount(url) {
    const frame = (this.#frame = document.createElement("iframe"));
    frame.src = url;
    frame.title = "Sign-in toolbar";
    // Until it answers it is there but not seen: a frame that is refused shows a broken page.
    this.#dress(360, 56, ["opacity:0"]);
    const options = { signal: this.#ended.signal };
    const tell = (what) => () => this.core.hear(what, location.pathname);
    frame.addEventListener("load", tell("loaded"), options);
    // A page that moves on by itself; where the browser has no such event, going back and forth is noticed.
    (window.navigation ?? window).addEventListener(window.navigation ? "navigatesuccess" : "popstate", tell("moved"), options);
    document.addEventListener(
      "securitypolicyviolation",
      ({ effectiveDirective, disposition, blockedURI }) =>
        this.core.hear("violation", `${effectiveDirective} ${disposition} ${blockedURI}`),
      options,
    );
    (this.#container ?? document.body).append(frame);
  }

  hello(platform, version, client_id, scope) {
    this.#port?.close();
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = (event) => this.core.heard(event.data);
    this.#frame.contentWindow.postMessage({ type: "latchkey.hello", version, client_id, scope }, platform, [port2]);
  }

  post(type, about, value, code) {
    this.#port?.postMessage({ type, ...(about && { [about]: value }), ...(code && { code }) });
  }

  resize(width, height) {
    this.#dress(width, height, []);
  }

  #dress(width, height, more) {
    const place = this.#container ? CONTAINED : [...DOCKED, `width:${width}px`];
    this.#frame.style.cssText = style([...FRAME, ...place, `height:${height}px`, ...more]);
  }

  // The window.

  listen() {
    const { signal } = this.#ended;
    addEventListener(
      "message",
      ({ origin, source, data }) => this.core.received(origin, !!source && source === this.#popup, data),
      { signal },
    );
    // Come back to by the Back button, a page continues where it was, and nothing is under way any more.
    addEventListener("pageshow", (event) => event.persisted && this.core.hear("abort", ""), { signal });
  }

  received(platform, version) {
    this.#popup?.postMessage({ type: "latchkey.received", version }, platform);
  }

  open(url) {
    const [width, height] = [480, 720];
    const left = screenX + (outerWidth - width) / 2;
    const top = screenY + (outerHeight - height) / 2;
    // A name could be another window's: a page that opened this one, or a frame in it, may bear it.
    this.#popup = open(url, "_blank", `popup,width=${width},height=${height},left=${left},top=${top}`);
    return !!this.#popup;
  }

  focus() {
    this.#popup?.focus();
  }

  close() {
    this.#popup?.close();
    this.#popup = null;
  }

  // The redirect.

  keep(key, text) {
    try {
      sessionStorage.setItem(key, text);
      return true;
    } catch {
      return false;
    }
  }

  recall(key) {
    try {
      const text = sessionStorage.getItem(key);
      sessionStorage.removeItem(key);
      return text ?? "";
    } catch {
      return "";
    }
  }

  leave(url) {
    location.assign(url);
  }

  clear() {
    this.#ended.abort();
    this.#port?.close();
    this.#port = null;
    this.#frame?.remove();
  }
}

let strip;

/** Says in words, on the page, why there is no toolbar. */
function explain(error, { mode, container }) {
  if (/popup|redirect/.test(mode) || /options|aborted/.test(error.code)) return;
  const element = (name, css, ...content) => {
    const made = document.createElement(name);
    made.style.cssText = css;
    made.append(...content);
    return made;
  };
  const close = element("button", "border:0;background:none;color:inherit;font-size:18px;cursor:pointer", "×");
  close.ariaLabel = "Dismiss";
  close.onclick = () => strip.remove();
  const link = [];
  if (error.setupUrl) {
    const setup = element("a", "display:block;color:inherit;margin-top:6px", "Are you an admin? Add this site to the application.");
    Object.assign(setup, { href: error.setupUrl, target: "_blank", rel: "noreferrer" });
    link.push(setup);
  }
  const notice = element(
    "div",
    "display:flex;gap:12px;padding:14px 16px;font:14px/1.4 system-ui,sans-serif;overflow-wrap:anywhere;background:#1c1b22;color:#fff;border-radius:14px",
    element("div", "flex:1", element("strong", "display:block", "Signing in is not possible here at the moment."), error.message, ...link),
    close,
  );
  notice.setAttribute("role", "alert");
  const inside = container instanceof Element;
  strip = element("div", style([...FRAME, ...(inside ? CONTAINED : [...DOCKED, "width:380px"])]));
  strip.className = "latchkey-notice";
  strip.attachShadow({ mode: "open" }).append(notice);
  (inside ? container : document.body).append(strip);
}
