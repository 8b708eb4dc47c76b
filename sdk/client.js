import { Core, wasmUrl } from "./latchkey_sdk.js";
import { Dock } from "./dock.js";
import { CODES, LatchkeyError, invalid, notLoaded, refused, text } from "./errors.js";
import { VERSION, isWindowMessage, readMessage, readSession } from "./messages.js";
import { checkLogin, originOf } from "./options.js";
import { authorizeUrl, form, prepare, toolbar } from "./request.js";
import { accept, pendingKey, readToken } from "./response.js";
import {
  ABORT,
  ALIVE,
  ALLOWED,
  ANSWERED,
  BLOCKED,
  CHANGED,
  CLOSE,
  CUT_OFF,
  DESTROY,
  DROP,
  FAILED,
  FOCUS,
  FOLLOW,
  FRAME_KEPT_OUT,
  FRAME_LOADED,
  KEEP,
  LOGIN,
  OPEN,
  OPENED,
  OVER,
  POST_BEGAN,
  POST_ENDED,
  POST_SIGNED_OUT,
  PREPARED,
  RAN_OUT,
  REFUSED,
  REJECT,
  RENEW,
  RENEWED,
  REOPEN,
  REPORT,
  RESTOCK,
  RETURNED,
  REVOKE_LAST,
  REVOKE_OFFER,
  SETTLE,
  SIGNED_IN,
  SIGNING_IN,
  SIGN_OUT,
  START,
  STATES,
  STOP,
  SWAPPED,
  TAKE,
  TICK,
  UNHEARD,
  UNRENEWED,
  WELCOME,
} from "./table.js";

const WAS_CUT_OFF =
  "The sign-in window closed at once. If it is still open, this site's Cross-Origin-Opener-Policy cut it off: send same-origin-allow-popups";

const IS_SILENT = "The toolbar's frame did not answer: diagnose() says why.";

const STREAMED = "fetch: a stream takes HTTP/2 or later.";

const REDIRECTED = "fetch: the platform answered with a redirect. Give the path that it leads to.";

const TAKEN_OFF = "The toolbar was taken off the page: call init() again.";

const NO_CONTAINER = "The toolbar was taken off the page: call init() with another container.";

/** How long after a click a browser lets a window open. */
const CLICK_MS = 4_500;

/** How long this page may take to repeat its headers. */
const HEADERS_MS = 2_000;

/** How long the platform may take to answer. It repeats what was lost for twice as long. */
const LIMIT_MS = 15_000;

const within = (least, value, most) => Math.min(Math.max(value, least), most);

/** A Cross-Origin-Opener-Policy that cuts the windows a page opens off from it. */
const CUTS = /^\s*(same-origin|noopener-allow-popups)\s*(;|$)/;

/** What on this page stands in the way of signing in, with or without a client. */
export async function diagnose(given) {
  try {
    const { diagnose } = await import("./diagnose.js");
    return diagnose({ ...given, wasm: Object(given).wasm ?? wasmUrl(), version: VERSION });
  } catch {
    const { message } = notLoaded("diagnose.js", "script-src");
    return { ok: false, findings: [{ level: "error", check: "sdk", setting: "diagnose.js", value: null, message }] };
  }
}

/** Whether this page's own policy cuts the windows it opens off from it. */
async function isCutOff() {
  // Some servers know no HEAD, and some never answer one.
  for (const method of ["HEAD", "GET"]) {
    try {
      const { ok, headers, body } = await fetch(location.href, { method, signal: AbortSignal.timeout(HEADERS_MS) });
      body?.cancel();
      if (ok || method == "GET") return CUTS.test(headers.get("cross-origin-opener-policy"));
    } catch {}
  }
}

const keptOut = (why) => new LatchkeyError("frame_blocked", why, why);

/** One application on one page: what its table decides, and the page's own hands in the browser. */
export class Client extends EventTarget {
  #options;
  #core;
  #waiting = { init: [], login: [], token: [], dock: [] };
  #ended = new AbortController();
  #timer;
  #state = 0;
  #session = null;
  #token = null;
  /** The refresh token, where no frame keeps it. */
  #refresh;
  #delivery;
  /** What that is while the page is not left. */
  #usual;
  #setupUrl;
  /** Requests for the next clicks, and the one that is out, with the redirect URI it went to. */
  #stock = [];
  #request;
  #redirectUri;
  /** A request for leaving the page, where no window opens and there is a page to come back to. */
  #spare;
  #ask;
  #popup;
  /** Of the site's own pages, where a window returns to one of them. */
  #channel;
  #frame;
  #dock;
  #port;
  #relay;
  /** The page's own calls that have no answer yet. */
  #calls = new Set();
  /** The response that the page came back with. */
  #response;
  #left;

  get state() {
    return STATES[this.#state];
  }

  get session() {
    return this.#session;
  }

  get delivery() {
    return this.#delivery;
  }

  /** What `index.js` makes a client with; the page cannot. */
  static async start(options, ms, response, left) {
    const client = new Client();
    client.#options = options;
    client.#response = response;
    client.#left = left;
    await client.#load(ms);
    return client;
  }

  /** What `index.js` answers with where there is a client already. The site may have taken its toolbar off the page. */
  static async again(client, container) {
    await client.#docked(container);
    return client;
  }

  async login(given) {
    const { signal, limit, ...ask } = checkLogin(given, this.#options);
    if (signal?.aborted) throw this.#aborted();
    // Nothing else is awaited between a click and its window.
    if (this.#isOff()) await this.#docked(undefined, signal);
    // A window that is open already stays as it was asked for, and has its own time.
    const isOpen = this.state == "signing-in";
    if (!this.#waiting.login.length) this.#ask = ask;
    return this.#wait("login", () => this.#tell(LOGIN, limit), signal, isOpen && limit);
  }

  async handleRedirect() {
    const response = this.#response;
    this.#response = undefined;
    if (response == null) return null;
    return this.#wait("login", () => this.#resume(response));
  }

  async logout() {
    const token = this.#token;
    this.#tell(SIGN_OUT);
    await (token && this.#revoked);
  }

  async fetch(path, init) {
    // After a sleep the token is over, and its successor on the way.
    while (this.#session?.expiresAt <= Date.now()) {
      if (init?.signal?.aborted) throw this.#aborted();
      await this.#wait("token", () => this.#tell(TICK), init?.signal);
    }
    const isOver = () => this.#ended.signal.aborted;
    if (isOver()) throw this.#aborted();
    if (!this.#session) throw new LatchkeyError("login_required");
    const { platform } = this.#options;
    const token = this.#token;
    if (!token && !this.#frame?.isConnected) throw new LatchkeyError("network_error", TAKEN_OFF);
    const url = this.#resolve(path);
    // The browser's own reading of the path: dot segments, backslashes and user names are no longer what they were.
    if (!url.startsWith(platform + "/api/0/")) {
      throw invalid('fetch: give a path below the organization, such as "projects/", or below "/api/0/", as a string or a URL');
    }
    let request;
    try {
      // A browser would take the token along to wherever it is sent on to.
      request = new Request(url, { ...init, credentials: "omit", redirect: "manual" });
      if (token) request.headers.set("Authorization", "Bearer " + token);
    } catch {
      throw invalid("fetch: the second argument is what the browser's fetch takes");
    }
    const response = await (token ? this.#call(request) : this.#relay.fetch(request, url.slice(platform.length))).catch((error) => {
      if (error instanceof LatchkeyError) throw error;
      if (request.signal.aborted || isOver()) throw this.#aborted();
      const why = token && init?.body instanceof ReadableStream ? STREAMED : undefined;
      throw new LatchkeyError("network_error", why, why);
    });
    if (response.type == "opaqueredirect") throw new LatchkeyError("network_error", REDIRECTED);
    // A token that ran out on its way is as it is: another one may come.
    const isRefused = token && response.status == 401 && token == this.#token;
    if (isRefused && this.#session.expiresAt > Date.now()) this.#over(new LatchkeyError("session_expired"));
    return response;
  }

  /** Calls the platform, until the client is destroyed. */
  async #call(request) {
    const { signal } = request;
    const call = new AbortController();
    signal.addEventListener("abort", () => call.abort());
    if (signal.aborted) call.abort();
    this.#calls.add(call);
    try {
      return await fetch(request, { signal: call.signal });
    } finally {
      this.#calls.delete(call);
    }
  }

  /** The absolute address of a path below the session's organization, or below the platform; empty for none. */
  #resolve(path) {
    if (typeof path != "string" && !(path instanceof URL)) return "";
    try {
      const url = new URL(path, `${this.#options.platform}/api/0/organizations/${encodeURIComponent(this.#session.organization.slug)}/`);
      // It is the page's own, and travels nowhere.
      url.hash = "";
      return url.href;
    } catch {
      return "";
    }
  }

  async getToken() {
    return this.#token;
  }

  diagnose() {
    return diagnose(this.#options.given);
  }

  destroy() {
    if (this.#ended.signal.aborted) return;
    this.#tell(DESTROY);
    this.#clear();
  }

  // The table.

  /** Says what happened, and does what follows. A failure or an offer is what the event is about. */
  #tell(event, value = 0, failure, offer) {
    const answer = this.#core.step(event, value, Date.now());
    const does = (action) => answer & action;
    const code = CODES[(answer >>> 24) - 1];
    if (code) failure = does(CUT_OFF) ? this.#cutOff() : code == "frame_blocked" ? keptOut(IS_SILENT) : new LatchkeyError(code, this.#why(code));
    if (does(KEEP)) {
      this.#stock.push(offer);
      this.#settle("dock");
    }
    if (does(START)) this.#settle("init");
    if (does(STOP)) {
      this.#clear();
      this.#settle("init", Object.assign(failure, this.#setupUrl && { setupUrl: this.#setupUrl }));
    }
    if (does(OPEN)) this.#request = this.#stock.pop();
    if (does(FOLLOW)) this.#request = offer;
    if (does(OPEN | REOPEN)) this.#open(does(OPEN));
    if (does(FOCUS)) this.#popup?.focus();
    const { state } = this.#request ?? {};
    if (does(POST_BEGAN) && state) this.#post({ type: "began", state });
    if (does(POST_ENDED) && state) this.#post({ type: "ended", state, code: failure.code });
    if (does(POST_SIGNED_OUT)) this.#post({ type: "signed_out", expired: !!does(RAN_OUT) });
    if (does(RESTOCK)) this.#stock.push(this.#request);
    if (does(CLOSE)) {
      this.#popup?.close();
      this.#popup = this.#request = undefined;
      this.#delivery = this.#usual;
    }
    // With a refresh token goes whatever came of its sign-in.
    const last = this.#refresh ?? this.#token;
    if (does(TAKE)) {
      ({ session: this.#session, token: this.#token } = offer);
      if (offer.refresh || event == SIGNED_IN) this.#refresh = offer.refresh;
    }
    if (does(DROP)) this.#session = this.#token = this.#refresh = null;
    if (does(TAKE | DROP)) this.#settle("token");
    this.#state = this.#core.name();
    if (does(SETTLE)) this.#settle("login");
    if (does(REJECT) && !this.#settle("login", failure)) this.#report(failure);
    if (does(CHANGED)) {
      // Whoever listens as soon as init() has answered is told the first state, too.
      const tell = () => this.dispatchEvent(new Event("statechange"));
      does(START) ? setTimeout(tell) : tell();
    }
    if (does(REVOKE_LAST)) this.#revoke(last);
    if (does(REVOKE_OFFER)) this.#revoke(offer.refresh ?? offer.token);
    if (does(REPORT)) this.#report(failure);
    // A frame that reloads by itself may be slow, and nobody waits for it.
    if (does(UNHEARD) && (!this.#state || this.#waiting.dock.length)) this.#doWithout() || this.#giveUp();
    if (does(RENEW)) this.#renew();
    // While it loads, the site may replace its body: once the frame is put back.
    if (!this.#state && !this.#waiting.dock.length) this.#docked().catch(() => {});
    this.#wake();
  }

  #aborted() {
    return new LatchkeyError("aborted", this.#why("aborted"));
  }

  #why(code) {
    return code == "aborted" && this.#ended.signal.aborted ? "The client was destroyed." : "";
  }

  /** What is advised is what was not done. */
  #cutOff() {
    const otherwise = this.#options.hasRedirectUri ? ", or register redirectUri." : ", or give redirectUri.";
    return new LatchkeyError("popup_closed", WAS_CUT_OFF + (this.#channel ? "." : otherwise));
  }

  #wake() {
    clearTimeout(this.#timer);
    const ms = this.#core.wake_after(Date.now());
    // A longer wait than a timer can count is cut: whoever is woken looks at the time again.
    if (ms < Infinity) this.#timer = setTimeout(() => this.#tell(TICK, this.#popup?.closed ? 1 : 0), Math.min(ms, this.#state ? 2e9 : 500));
  }

  /** A promise that the table settles, for a step that begins at once. Who waits for it may give up, or has so many milliseconds. */
  #wait(kind, begin, signal, ms) {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting[kind];
      // Who gives up leaves the others alone.
      const leave = (error) => {
        waiting.splice(waiting.indexOf(entry), 1);
        done();
        reject(error);
      };
      // The last one that waits for a sign-in takes the window along.
      const abort = () => (kind == "login" && waiting.length == 1 ? this.#tell(ABORT) : leave(this.#aborted()));
      const timer = ms && setTimeout(() => leave(new LatchkeyError("timeout")), ms);
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener?.("abort", abort);
      };
      const entry = [resolve, reject, done];
      waiting.push(entry);
      signal?.addEventListener?.("abort", abort);
      begin();
    });
  }

  #settle(kind, error) {
    const waiting = this.#waiting[kind].splice(0);
    for (const [resolve, reject, done] of waiting) {
      done();
      error ? reject(error) : resolve(this.#session);
    }
    return waiting.length;
  }

  #report(error) {
    this.dispatchEvent(Object.assign(new Event("error"), { error }));
  }

  #fail(error) {
    this.#tell(FAILED, 0, error);
  }

  /** The platform does not take the session's token any more. */
  #over(error) {
    this.#post({ type: "signed_out", expired: false });
    this.#tell(OVER, 1, error);
  }

  // Loading.

  async #load(ms) {
    const { mode, tokens, platform, hasRedirectUri, redirectUri, responseType } = this.#options;
    const { signal } = this.#ended;
    const framed = mode == "auto" || mode == "iframe";
    this.#delivery = this.#usual = mode == "redirect" ? mode : "opener";
    this.#core = new Core(framed, Date.now() + ms);
    this.#wake();
    const ready = this.#wait("init", () => {});
    ready.catch(() => {});
    if (mode != "redirect") this.#listen(signal);
    // Come back to by the Back button, a page continues where it was, and nothing is under way any more.
    addEventListener("pageshow", (event) => event.persisted && this.#tell(ABORT), { signal });
    if (framed) this.#mount(signal);
    else this.#prepare();
    if (tokens == "frame") {
      const { Relay } = await import("./relay.js").catch(() => ({}));
      if (!Relay) this.#tell(REFUSED, 0, notLoaded("relay.js", "script-src"));
      if (signal.aborted) return ready;
      this.#relay = new Relay((message) => this.#post(message), refused);
    }
    const leaves = mode == "redirect";
    const [status, cuts] = await Promise.all([
      this.#send(toolbar(this.#options, "status/") + (hasRedirectUri || leaves ? "?" + form({ redirect_uri: redirectUri }) : "")),
      hasRedirectUri && !leaves && isCutOff(),
    ]);
    const { allowed, setup_url: setupUrl, redirect_uri, opener, error, error_description } = Object(status.body);
    if (signal.aborted) return ready;
    // A link for people: it leads to the platform it comes from, and nowhere else.
    if (originOf(setupUrl) == platform) this.#setupUrl = setupUrl;
    if (redirect_uri === "registered" && !leaves) {
      if (window.BroadcastChannel) {
        this.#channel = new BroadcastChannel(pendingKey(this.#options.clientId));
        this.#channel.onmessage = ({ data }) => this.#returned(data);
        if (cuts || opener === "cut") this.#delivery = this.#usual = "channel";
      }
      if (mode == "auto" && tokens == "page") await this.#reserve();
    }
    if (!status.ok || allowed !== true) this.#tell(REFUSED, 0, status.error ?? refused(error, error_description));
    else if (tokens == "frame" && responseType == "token" && this.#delivery == "channel") this.#tell(REFUSED, 0, invalid('responseType: give "code" with tokens: "frame" and redirectUri'));
    else if (leaves && redirect_uri === "unregistered") this.#tell(REFUSED, 0, invalid(`redirectUri: register ${redirectUri} for the application`));
    else this.#tell(ALLOWED);
    return ready;
  }

  /** Makes a request ready for the next click, where no frame does it. */
  async #prepare() {
    try {
      this.#tell(PREPARED, 0, undefined, await prepare(this.#options.responseType));
    } catch {
      // Without a secure context there is no digest, and no platform allows such a site.
    }
  }

  /** Makes a request ready for leaving the page. */
  async #reserve() {
    this.#spare = await prepare(this.#options.responseType);
  }

  /** Requests JSON: `{ ok, body }`, or with an error where there is no answer. A form is posted. */
  async #send(url, token, fields) {
    const headers = token ? { authorization: "Bearer " + token } : {};
    // The page may be left in the same moment as it signs out: the form outlives it.
    const init = { credentials: "omit", cache: "no-store", headers, signal: AbortSignal.timeout(LIMIT_MS) };
    if (fields) Object.assign(init, { method: "POST", keepalive: true, body: form(fields) });
    try {
      const response = await fetch(url, init);
      return { ok: response.ok, body: await response.json().catch(() => {}) };
    } catch {
      return { error: new LatchkeyError("network_error") };
    }
  }

  // The frame.

  #mount(signal) {
    // A script in the head may be faster than the body.
    if (!document.body) return addEventListener("DOMContentLoaded", () => this.#mount(signal), { signal });
    const { platform, container, headless } = this.#options;
    const options = { signal };
    const frame = (this.#frame = document.createElement("iframe"));
    frame.src = toolbar(this.#options, "");
    frame.title = "Sign-in toolbar";
    frame.addEventListener("load", () => this.#greet(), options);
    // A page that moves on by itself; where the browser has no such event, going back and forth is noticed.
    const [target, moved] = window.navigation ? [navigation, "navigatesuccess"] : [window, "popstate"];
    target.addEventListener(moved, () => this.#stand(), options);
    // The effective directive of a frame is frame-src, whichever one the policy spells out (CSP 3 §6.8.1).
    document.addEventListener(
      "securitypolicyviolation",
      ({ effectiveDirective, disposition, blockedURI }) => {
        if (effectiveDirective != "frame-src" || disposition != "enforce" || originOf(blockedURI) != platform || !this.#frame) return;
        this.#doWithout() || this.#tell(REFUSED, 0, new LatchkeyError("frame_blocked"));
      },
      options,
    );
    this.#dock = new Dock(frame, container, headless);
  }

  /** In mode auto there is a way without the frame. False where there is none. */
  #doWithout() {
    const { mode, tokens } = this.#options;
    if (mode != "auto" || tokens == "frame") return false;
    this.#unmount();
    this.#stock = [];
    this.#tell(FRAME_KEPT_OUT);
    this.#prepare();
    return true;
  }

  /** A frame that was put back and says nothing is taken off again, so that the next try loads it anew. */
  #giveUp() {
    if (this.#settle("dock", keptOut(IS_SILENT))) this.#dock.remove();
  }

  /** Whether the site took the frame off the page, and it is not back yet. */
  #isOff() {
    return this.#waiting.dock.length || this.#frame?.isConnected == false;
  }

  /** Puts the frame back where the site took it off the page, as with a body that is replaced. It loads anew. */
  async #docked(container = this.#options.container, signal) {
    if (!this.#isOff()) return;
    return this.#wait("dock", () => {
      if (this.#frame?.isConnected != false) return;
      if (container?.isConnected == false) return this.#settle("dock", keptOut(NO_CONTAINER));
      this.#options.container = container;
      // What it had prepared is gone with it, and no window reaches it any more.
      this.#stock = [];
      this.#tell(FRAME_LOADED);
      this.#dock.put(container);
    }, signal, CLICK_MS);
  }

  #unmount() {
    this.#port?.close();
    this.#dock?.remove();
    this.#frame = this.#port = this.#dock = undefined;
  }

  /** Hands the frame a port, with the hello: whenever it loaded. */
  #greet() {
    // Kept out meanwhile, its error page has loaded.
    if (!this.#frame) return;
    const { platform, clientId: client_id, scope, responseType: response_type, tokens } = this.#options;
    this.#port?.close();
    this.#relay?.end(refused("network_error"));
    this.#stock = [];
    this.#tell(FRAME_LOADED);
    if (this.#ended.signal.aborted) return;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    // One that was closed may have brought something before: it is of a frame that is not there any more.
    port1.onmessage = ({ data }) => this.#port == port1 && this.#hear(readMessage(data));
    // The frame was taken off the page, or its process has ended: the browser tells, and not every one does.
    port1.onclose = () => this.#relay?.end(refused("network_error"));
    const hello = { type: "latchkey.hello", version: VERSION, client_id, scope, response_type, tokens };
    this.#frame.contentWindow.postMessage(hello, platform, [port2]);
    this.#dock.raise();
    this.#stand();
    this.#handOver();
  }

  /** The frame is told where the page stands. */
  #stand() {
    this.#post({ type: "page", path: location.pathname });
  }

  /** The frame may not know of the session: it was loaded anew, or the page has the token from elsewhere. */
  #handOver(replaces = false) {
    const expires_in = Math.floor((this.#session?.expiresAt - Date.now()) / 1000);
    if (this.#token && expires_in > 0) this.#post({ type: "adopt", access_token: this.#token, expires_in, replaces });
  }

  /** The frame is told where it stands now, unless that is the site's to say. */
  #placed(corner) {
    if (corner) this.#post({ type: "placed", corner });
  }

  /** Whether it is not whose session there is. */
  #isOther({ user, organization }) {
    const held = this.#session;
    return held && (held.user.id != user.id || held.organization.id != organization.id);
  }

  #post(message) {
    this.#port?.postMessage(message);
  }

  /** The frame says something. */
  #hear(message) {
    const offer = message?.session && { session: readSession(message.session, message.session.expires_at), token: message.access_token ?? null };
    // Of the sign-in that is under way, and not of one that was given up.
    const isOut = message?.state === this.#request?.state;
    switch (message?.type) {
      case "welcome":
        return this.#tell(WELCOME, message.version == VERSION ? 1 : 0);
      case "prepared":
        return this.#tell(PREPARED, 0, undefined, message);
      case "signing_in":
        return this.#tell(SIGNING_IN, 0, undefined, message);
      case "answered":
        return isOut && this.#tell(ANSWERED);
      case "signed_in":
        // Given up meanwhile: nobody waits for it, and it must not live on, here or there.
        if (!isOut) return this.#post({ type: "ended", state: message.state, code: "aborted" }), this.#revoke(offer.token);
        return this.#tell(SIGNED_IN, +offer.session.expiresAt, undefined, offer);
      case "renewed":
        return this.#tell(this.#isOther(offer.session) ? SWAPPED : RENEWED, +offer.session.expiresAt, undefined, offer);
      case "failed":
        if (isOut) this.#fail(refused(message.code, message.description));
        else if (!message.state) this.#report(refused(message.code, message.description));
        return;
      case "ended":
        return this.#tell(OVER, message.code ? 1 : 0, message.code && refused(message.code));
      case "sign_out":
        return this.#tell(SIGN_OUT);
      case "resize":
        // Whatever it asks for, it does not cover the page.
        return this.#dock.resize(within(48, message.width, 480), within(32, message.height, 480));
      case "place":
        return this.#placed(this.#dock.place(message.corner));
      case "move":
        return this.#dock.move(message.dx, message.dy);
      case "drop":
        return this.#placed(this.#dock.drop());
      case "head":
      case "chunk":
      case "end":
      case "broken":
        this.#relay?.hear(message);
    }
  }

  // The window.

  /** Opens the window, in the page's own click and before anything is awaited; or leaves the page, unless one is open. */
  #open(isFirst) {
    const { redirectUri } = this.#options;
    const isCallback = this.#delivery == "opener";
    this.#redirectUri = isCallback ? toolbar(this.#options, this.#options.tokens == "frame" ? "callback/frame/" : "callback/") : redirectUri;
    const url = authorizeUrl(this.#options, this.#request, this.#ask, this.#redirectUri, isCallback);
    if (this.#delivery == "redirect") {
      this.#leave(url);
      // Who comes back by the Back button, or could not leave, clicks again.
      if (this.#usual == "redirect") this.#prepare();
      return;
    }
    const [width, height] = [480, 720];
    const left = screenX + (outerWidth - width) / 2;
    const top = screenY + (outerHeight - height) / 2;
    // A name could be another window's: a page that opened this one, or a frame in it, may bear it.
    const popup = open(url, "_blank", `popup,width=${width},height=${height},left=${left},top=${top}`);
    // In mode auto a page that may not open windows is left, if there is one to come back to.
    if (isFirst && !popup && this.#spare) {
      // Nothing left with the request that was meant for the window.
      this.#tell(PREPARED, 0, undefined, this.#request);
      this.#request = this.#spare;
      this.#reserve();
      this.#delivery = "redirect";
      return this.#open();
    }
    if (popup) this.#popup = popup;
    this.#tell(popup ? OPENED : BLOCKED, isCallback ? 0 : 1);
    if (isFirst && popup && !this.#frame) this.#prepare();
  }

  #leave(url) {
    const { clientId, platform } = this.#options;
    const { state, verifier = "" } = this.#request;
    try {
      sessionStorage.setItem(pendingKey(clientId), [platform, state, this.#redirectUri, verifier].join(" "));
    } catch {
      return this.#fail(new LatchkeyError("storage_unavailable"));
    }
    this.#tell(OPENED);
    location.assign(url);
  }

  #listen(signal) {
    addEventListener(
      "message",
      ({ origin, source, data }) => {
        const { platform } = this.#options;
        if (origin != platform || !source || source != this.#popup) return;
        if (isWindowMessage(data, "alive")) this.#tell(ALIVE);
        if (!this.#frame && isWindowMessage(data, "response") && this.#receive(text(data.response), this.#options.origin)) {
          source.postMessage({ type: "latchkey.received", version: VERSION }, platform);
        }
      },
      { signal },
    );
  }

  /** A window came back to a page of this site, which passes the response on. */
  #returned(data) {
    if (!isWindowMessage(data, "response") || data.state !== this.#request?.state || !this.#core.awaits()) return;
    const response = text(data.response);
    if (this.#frame) {
      this.#tell(ANSWERED);
      this.#post({ type: "response", state: data.state, response, redirect_uri: this.#redirectUri });
    } else if (!this.#receive(response)) return;
    this.#channel.postMessage({ type: "latchkey.received", version: VERSION, state: data.state });
  }

  // The response, where no frame takes it.

  /** Takes a response to the request that is out; false for one that is not. */
  #receive(response, origin) {
    if (!this.#core.awaits()) return false;
    const { state, verifier } = this.#request;
    try {
      const accepted = accept(response, this.#options, state, origin);
      if (!accepted) return false;
      // From here on the state is used up.
      this.#tell(ANSWERED);
      this.#conclude(accepted, this.#redirectUri, verifier);
    } catch (error) {
      this.#tell(ANSWERED);
      this.#fail(error);
    }
    return true;
  }

  /** Goes on with what the tab kept when it left. */
  #resume(response) {
    const { clientId, platform } = this.#options;
    this.#tell(RETURNED);
    let pending = "";
    try {
      pending = sessionStorage.getItem(pendingKey(clientId)) || "";
      sessionStorage.removeItem(pendingKey(clientId));
    } catch {}
    const [issuer, state, redirectUri, verifier] = pending.split(" ");
    try {
      const accepted = state && issuer == platform && accept(response, this.#options, state);
      if (!accepted) throw new LatchkeyError("state_mismatch");
      this.#conclude(accepted, redirectUri, verifier);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Exchanges a code, and asks whose the token is. */
  async #conclude({ code, token, expiresIn }, redirect_uri, code_verifier) {
    let refresh;
    if (code) {
      const exchanged = await this.#exchange({ grant_type: "authorization_code", code, redirect_uri, code_verifier });
      if (exchanged.error) return this.#fail(exchanged.error);
      ({ token, expiresIn, refresh } = exchanged);
    }
    const expiresAt = Date.now() + expiresIn * 1000;
    const { ok, body, error } = await this.#send(this.#options.platform + "/api/0/", token);
    const session = ok && readSession(body, expiresAt);
    if (!session) return this.#fail(error ?? refused(body?.error, body?.error_description));
    this.#tell(SIGNED_IN, expiresAt, undefined, { session, token, refresh });
    // Whoever was signed in in the frame is not who signed in here.
    if (this.#token == token) this.#handOver(true);
  }

  /** The token endpoint's answer (RFC 6749 §5.1), or its error. */
  async #exchange(fields) {
    const { platform, clientId: client_id } = this.#options;
    const { ok, body, error } = await this.#send(platform + "/oauth/token/", undefined, { client_id, ...fields });
    return (ok && readToken(body)) || { error: error ?? refused(body?.error, body?.error_description), isFinal: body?.error === "invalid_grant" };
  }

  /** A new token before the old one expires, where a refresh token is at hand. What fails for the moment is tried again. */
  async #renew() {
    const refresh_token = this.#refresh;
    if (!refresh_token) return;
    const { token, expiresIn, refresh, error, isFinal } = await this.#exchange({ grant_type: "refresh_token", refresh_token });
    if (this.#refresh != refresh_token) return this.#revoke(refresh ?? token);
    if (error) return isFinal ? this.#over(new LatchkeyError("session_expired")) : this.#tell(UNRENEWED);
    const expiresAt = Date.now() + expiresIn * 1000;
    this.#tell(RENEWED, expiresAt, undefined, { session: readSession(this.#session, expiresAt), token, refresh });
    this.#handOver();
  }

  #revoked;

  /** Tells the platform that a token has served. */
  #revoke(token) {
    if (!token) return;
    const { platform, clientId: client_id } = this.#options;
    this.#revoked = this.#send(platform + "/oauth/revoke/", undefined, { token, client_id }).then(({ ok, body, error }) => {
      if (!ok) throw error ?? refused(body?.error, body?.error_description);
    });
    this.#revoked.catch(() => {});
  }

  /** Takes everything off the page and listens to nothing any more. */
  #clear() {
    this.#ended.abort();
    clearTimeout(this.#timer);
    this.#relay?.end(this.#aborted());
    this.#settle("dock", this.#aborted());
    for (const call of this.#calls) call.abort();
    this.#channel?.close();
    this.#popup?.close();
    this.#unmount();
    this.#left();
  }
}
