// The JavaScript face of the SDK. Importing it does nothing, in a browser and on a server alike: everything begins
// with init(). The core behind it is WebAssembly, loaded once.
import load, { Core } from "./latchkey_sdk.js";

/** What every promise of the SDK is rejected with. */
export class LatchkeyError extends Error {
  constructor(code, message, hint) {
    super(message || hint);
    this.code = code;
    this.hint = hint;
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
    const client = new Client(key);
    const started = client._start(options, response);
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
  #state = "loading";
  #session = null;

  constructor(key) {
    super();
    this.#key = key;
  }

  get state() {
    return this.#state;
  }

  get session() {
    return this.#session;
  }

  login(options) {
    return new Promise((resolve, reject) => this.#core.login(Object(options), resolve, reject));
  }

  handleRedirect() {
    return new Promise((resolve, reject) => this.#core.resume(resolve, reject));
  }

  logout() {
    return new Promise((resolve, reject) => this.#core.logout(resolve, reject));
  }

  fetch(path, init) {
    return new Promise((resolve, reject) => this.#core.fetch(String(path), Object(init), resolve, reject));
  }

  async getToken() {
    return this.#core.token() ?? null;
  }

  destroy() {
    if (clients.delete(this.#key)) this.#core.destroy();
  }

  async _start(options, response) {
    const began = Date.now();
    const limit = options.timeoutMs > 0 ? options.timeoutMs : 10_000;
    await inTime(load(), limit).catch((error) => {
      throw error instanceof LatchkeyError ? error : notLoaded();
    });
    await new Promise((resolve, reject) => {
      // What is left of the time; a value that is no time at all is for the core to refuse.
      const timeoutMs = options.timeoutMs > 0 || options.timeoutMs == null ? Math.max(1, limit - Date.now() + began) : options.timeoutMs;
      this.#core = new Core(this.#host(), window, { ...options, timeoutMs }, response, resolve, reject);
    });
    return this;
  }

  #host() {
    return {
      error: (code, message, hint) => new LatchkeyError(code, message, hint),
      session: ([id, slug, name], [userId, userName], scopes, expiresAt) =>
        Object.freeze({
          organization: Object.freeze({ id, slug, name }),
          user: Object.freeze({ id: userId, name: userName }),
          scopes: Object.freeze(scopes),
          expiresAt: new Date(expiresAt),
        }),
      changed: (state, session) => {
        this.#state = state;
        this.#session = session;
        this.dispatchEvent(new Event("statechange"));
      },
      report: (error) => this.dispatchEvent(Object.assign(new Event("error"), { error })),
    };
  }
}

/** The promise, or a `timeout` once the time is up. */
function inTime(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new LatchkeyError("timeout", "The SDK's WebAssembly file did not load in time.", "Try again, or raise timeoutMs.")),
      ms,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
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
