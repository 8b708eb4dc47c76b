// The JavaScript face of the SDK. Importing it does nothing, in a browser and on a server alike: everything begins
// with init(). The core behind it is WebAssembly, loaded once; host.js is its hands.
import { Host } from "./host.js";
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

/** Clients that are loading or alive, by platform and client id. */
const clients = new Map();

const text = (value) => (typeof value == "string" ? value : "");

export function init(options) {
  options = Object(options);
  const clientId = text(options.clientId ?? options.client_id);
  const key = text(options.platform).replace(/\/$/, "") + " " + clientId;
  if (typeof document == "undefined") {
    return Promise.reject(new LatchkeyError("invalid_options", "init() runs in a browser: call it on the page."));
  }
  if (!clients.has(key)) {
    // Before anything else is loaded: what the page requests from here on must not carry the response along.
    const response = takeResponse(clientId);
    const started = new Client(key, response)._start(options);
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
  #response;
  #state = "loading";
  #session = null;

  constructor(key, response) {
    super();
    this.#key = key;
    this.#response = response;
  }

  get state() {
    return this.#state;
  }

  get session() {
    return this.#session;
  }

  async login(options) {
    options = Object(options);
    const { signal } = options;
    const abort = () => this.#core.abort();
    if (signal?.aborted) throw this.#core.error("aborted");
    signal?.addEventListener("abort", abort);
    try {
      await this.#wait("login", () => this.#core.login(options));
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    return this.#session;
  }

  async handleRedirect() {
    const response = this.#response;
    this.#response = undefined;
    if (response == null) return null;
    await this.#wait("login", () => this.#core.resume(response));
    return this.#session;
  }

  logout() {
    return this.#wait("logout", () => this.#core.logout());
  }

  async fetch(path, init) {
    const url = this.#core.address(String(path));
    const token = this.#core.token();
    const headers = new Headers(init?.headers);
    headers.set("Authorization", "Bearer " + token);
    const response = await fetch(url, { ...init, headers, credentials: "omit" }).catch(() => {
      throw this.#core.error(init?.signal?.aborted ? "aborted" : "network_error");
    });
    if (response.status == 401) this.#core.rejected(token);
    return response;
  }

  async getToken() {
    return this.#core.token() ?? null;
  }

  destroy() {
    if (clients.delete(this.#key)) this.#core.destroy();
  }

  async _start(options) {
    const limit = options.timeoutMs > 0 ? options.timeoutMs : 10_000;
    const began = Date.now();
    await loaded(limit);
    const hooks = {
      error: (code, message, hint) => new LatchkeyError(code, message, hint),
      changed: (state, session) => {
        this.#state = state;
        this.#session = session;
        this.dispatchEvent(new Event("statechange"));
      },
      report: (error) => this.dispatchEvent(Object.assign(new Event("error"), { error })),
    };
    const { container } = options;
    if (container != null && !(container instanceof Element)) {
      throw new LatchkeyError("invalid_options", "container: give an element of the page");
    }
    this.#host = new Host(hooks, container);
    this.#core = this.#host.core = new Core(this.#host, options, location.origin, location.pathname);
    await this.#wait("init", () => this.#core.start(limit - (Date.now() - began)));
    return this;
  }

  /** A promise that the core settles, for a step that begins at once. */
  #wait(kind, begin) {
    return new Promise((resolve, reject) => {
      this.#host.wait(kind, resolve, reject);
      try {
        begin();
      } catch (error) {
        this.#host.forget(kind);
        throw error;
      }
    });
  }
}

/** The core's code, within the time: a promise that rejects with what stands in its way. */
async function loaded(ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(reject, ms, new LatchkeyError("timeout", "The SDK's WebAssembly file did not load in time."));
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
      "This page does not allow WebAssembly.",
      "Add 'wasm-unsafe-eval' to script-src in this site's Content-Security-Policy.",
    );
  }
  return new LatchkeyError(
    "network_error",
    "The SDK's WebAssembly file could not be loaded.",
    "Serve latchkey_sdk_bg.wasm beside index.js, and allow it in connect-src of the Content-Security-Policy.",
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

/** What stands where the toolbar would, when there can't be one. */
const WORDS = {
  unknown_client: "This site's sign-in is not set up: the platform does not know its application.",
  origin_not_allowed: "This site is not registered for this sign-in.",
  frame_blocked: "This site's security settings keep the sign-in toolbar out.",
  wasm_blocked: "This site's security settings keep the sign-in from starting.",
  network_error: "The sign-in service could not be reached.",
  timeout: "The sign-in service did not answer in time.",
  protocol_mismatch: "This site uses another version of the sign-in than its platform.",
  server_error: "The sign-in service has a problem at the moment.",
};

let strip;

/** Says in words, on the page, why there is no toolbar. */
function explain(error, { mode, container }) {
  const words = WORDS[error.code];
  strip?.remove();
  if (!words || mode == "popup" || mode == "redirect") return;
  const element = (name, css, ...content) => {
    const made = document.createElement(name);
    made.style.cssText = css;
    made.append(...content);
    return made;
  };
  const inside = container instanceof Element;
  const close = element("button", "all:unset;cursor:pointer;padding:4px 8px;margin:-4px -8px;font-size:16px;border-radius:6px", "×");
  close.ariaLabel = "Dismiss";
  close.onclick = () => strip.remove();
  close.onfocus = () => (close.style.outline = "2px solid");
  close.onblur = () => (close.style.outline = "");
  const hint = element("span", "display:block;opacity:.75;margin-top:2px;font-size:12px;overflow-wrap:anywhere", error.hint || error.message);
  const notice = element(
    "div",
    "display:flex;gap:16px;align-items:flex-start;box-sizing:border-box;padding:12px 16px;font:500 14px/1.4 system-ui,sans-serif;background:#1c1b22;color:#fff;border-radius:14px;box-shadow:0 8px 32px rgba(0,0,0,.25)",
    element("div", "flex:1", words, hint),
    close,
  );
  notice.setAttribute("role", "alert");
  strip = element("div", "all:initial!important;" + (inside ? "display:block" : "position:fixed;right:16px;bottom:16px;width:360px;max-width:calc(100vw - 32px);z-index:2147483647"));
  strip.className = "latchkey-notice";
  strip.attachShadow({ mode: "open" }).append(notice);
  (inside ? container : document.body).append(strip);
}
