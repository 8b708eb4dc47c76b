// The core's hands in the browser: what src/host.rs asks for. Nothing is decided here.

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

export class Host {
  #hooks;
  #container;
  #waiting = { init: [], login: [], logout: [] };
  #ended = new AbortController();
  #timer;
  #frame;
  #port;
  #popup;
  core;

  /** `hooks` are `error`, `changed` and `report`; without a container the frame is docked to the page's corner. */
  constructor(hooks, container) {
    this.#hooks = hooks;
    this.#container = container;
  }

  // Promises.

  wait(kind, resolve, reject) {
    this.#waiting[kind].push([resolve, reject]);
  }

  /** For a call that did not come to wait after all. */
  forget(kind) {
    this.#waiting[kind].pop();
  }

  settle(kind, error) {
    const waiting = this.#waiting[kind].splice(0);
    for (const [resolve, reject] of waiting) error ? reject(error) : resolve();
    return waiting.length > 0;
  }

  error(code, message, hint) {
    return this.#hooks.error(code, message, hint);
  }

  session(id, slug, name, userId, userName, scopes, expiresAt) {
    return Object.freeze({
      organization: Object.freeze({ id, slug, name }),
      user: Object.freeze({ id: userId, name: userName }),
      scopes: Object.freeze(scopes),
      expiresAt: new Date(expiresAt),
    });
  }

  changed(state, session) {
    this.#hooks.changed(state, session);
  }

  report(error) {
    this.#hooks.report(error);
  }

  // Time, chance and the network.

  wake(ms) {
    clearTimeout(this.#timer);
    // A longer wait than a timer can count is cut: whoever is woken looks at the time again.
    if (ms < Infinity) this.#timer = setTimeout(() => this.core.tick(!!this.#popup?.closed), Math.min(ms, 2 ** 31 - 1));
  }

  random() {
    const bytes = crypto.getRandomValues(new Uint8Array(24));
    return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_");
  }

  send(kind, url, token, form) {
    const headers = {};
    if (token) headers.authorization = "Bearer " + token;
    // The page may be left in the same moment as it signs out: the form outlives it.
    const init = { credentials: "omit", cache: "no-store", headers };
    if (form) Object.assign(init, { method: "POST", keepalive: true, body: new URLSearchParams(form) });
    fetch(url, init).then(
      (response) => {
        const answered = (body) => this.core.answered(kind, response.status, body);
        response.json().then(answered, () => answered());
      },
      () => this.core.answered(kind, 0),
    );
  }

  resolve(path, base) {
    try {
      return new URL(path, base).href;
    } catch {}
  }

  // The frame.

  mount(url) {
    const frame = (this.#frame = document.createElement("iframe"));
    frame.src = url;
    frame.title = "Sign-in toolbar";
    // Until it answers it is there but not seen: a frame that is refused shows a broken page.
    this.#dress(360, 56, ["opacity:0"]);
    const options = { signal: this.#ended.signal };
    frame.addEventListener("load", () => this.core.loaded(), options);
    document.addEventListener(
      "securitypolicyviolation",
      (event) => this.core.violated(event.effectiveDirective, event.blockedURI, event.disposition),
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

  post(type, state, code) {
    this.#port?.postMessage({ type, ...(state != null && { state }), ...(code && { code }) });
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
    addEventListener("pageshow", (event) => event.persisted && this.core.abort(), { signal });
  }

  received(platform, version) {
    this.#popup?.postMessage({ type: "latchkey.received", version }, platform);
  }

  open(url) {
    const [width, height] = [480, 720];
    const left = Math.max(0, screenX + (outerWidth - width) / 2);
    const top = Math.max(0, screenY + (outerHeight - height) / 2);
    this.#popup = open(url, "latchkey", `popup,width=${width},height=${height},left=${left},top=${top}`);
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
      return text;
    } catch {}
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
