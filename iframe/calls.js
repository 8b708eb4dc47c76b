// The calls that this frame makes for a page which never sees the token (SECURITY 43), loaded for such a page alone.
//
// The frame is of the platform's own origin, where more than the API answers: a call goes below PREFIX and nowhere else,
// brings no credential besides the token, and says nothing that only a browser may. Its answer comes in pieces, one for
// each time the page asks.
import { isText, readCall, write } from "./messages.js";

/** What every path begins with. */
const PREFIX = "/api/0/";
/** The longest path, with its query, and the longest value of a header, in bytes. */
const MAX = 8 * 1024;
/** How many calls may be open at a time. The one that nobody reads for longest makes room. */
const MOST_CALLS = 64;
/** What a code does not say. */
const FULL = `fetch: ${MOST_CALLS} calls are open, and each waits for its answer.`;
const MADE_ROOM = `fetch: of ${MOST_CALLS} open calls this one was not read for longest, and made room for another.`;
const REDIRECTED = "fetch: the platform answered with a redirect. Give the path that it leads to.";
/** The most headers of an answer. */
const MOST_HEADERS = 256;

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** The headers that are a credential, a browser's to write (Fetch §2.2.2), or a proxy's to believe. */
export const FORBIDDEN = [
  "accept-charset",
  "accept-encoding",
  "authorization",
  "connection",
  "content-length",
  "cookie",
  "cookie2",
  "date",
  "dnt",
  "expect",
  "forwarded",
  "host",
  "http2-settings",
  "keep-alive",
  "latchkey-frame",
  "origin",
  "permissions-policy",
  "priority",
  "referer",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-real-ip",
  "x-rewrite-url",
];
/** What the names of others begin with. */
const FORBIDDEN_PREFIXES = ["access-control-", "proxy-", "sec-", "x-forwarded-"];

/** Whether a call may have this method, as it stands. */
export const isMethod = (method) => METHODS.includes(method);

/** Whether a call may bring this header (RFC 9110 §5.6.2), whose value is bytes (§5.5). */
export function isHeader(given, value) {
  // A name that is anything else than ASCII has no lower case that matters.
  const name = given.toLowerCase();
  return (
    /^[\w!#$%&'*+.^`|~-]{1,64}$/.test(given) &&
    !FORBIDDEN.includes(name) &&
    !FORBIDDEN_PREFIXES.some((prefix) => name.startsWith(prefix)) &&
    value.length <= MAX &&
    /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
  );
}

/** What is encoded (RFC 3986 §2.1), decoded once, to bytes. */
const decodeOnce = (text) => text.replace(/%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(parseInt(digits, 16)));

/** Whether a path below another one stays there, however often it is decoded. */
function isBelow(path) {
  // What has no name before the first slash, and a scheme (RFC 3986 §4.2).
  if (path.startsWith("/") || path.split("/")[0].includes(":")) return false;
  const slashes = (text) => text.split("/").length;
  for (let text = path; ; ) {
    const leaves = text.split("/").some((segment) => segment == "." || segment == "..");
    if (leaves || text.includes("//") || /[\x00-\x20\\\x7f]/.test(text)) return false;
    const decoded = decodeOnce(text);
    if (decoded == text) return true;
    // An encoded slash is another path to whoever decodes it.
    if (slashes(decoded) != slashes(text)) return false;
    text = decoded;
  }
}

/**
 * The path of a call on the platform: one that begins with a slash as it stands, any other below this organization.
 * Undefined for one that is, or that anything on the way could read as, another place.
 */
export function resolve(path, organization) {
  // What a browser would cut off, or repair, is no part of a path: only what is printed, of ASCII, and no fragment.
  if (path.length > MAX || !/^[!"$-~]*$/.test(path)) return;
  const [, place, query] = /^([^?]*)(.*)$/.exec(path);
  const isWhole = place.startsWith("/");
  if (isWhole && !place.startsWith(PREFIX)) return;
  const relative = isWhole ? place.slice(PREFIX.length) : place;
  if (!isBelow(relative)) return;
  return PREFIX + (isWhole ? "" : `organizations/${organization}/`) + relative + query;
}

/**
 * The headers of an answer as a page reads them: what is said of the body as it travelled does not hold for the body as it
 * was decoded.
 */
export function shown(headers) {
  const isEncoded = headers.some(([name]) => name == "content-encoding");
  const isTravel = (name) => name == "content-encoding" || name == "content-length";
  return headers.filter(([name]) => !isEncoded || !isTravel(name));
}

/** The request, if it is one that a page may have made; otherwise a text that names what the frame does not send. */
export function requested({ method, path, headers: pairs, body }, { token, organization }, signal) {
  const wrong = (part, given, right) => `fetch: the frame sends no ${part} ${JSON.stringify(given)}. ${right}`;
  const url = resolve(path, organization);
  if (!url) return wrong("path", path, `Give one below ${PREFIX} or below the organization, encoded as it is sent, in which nothing leads elsewhere.`);
  if (!isMethod(method)) return wrong("method", method, `Give one of ${METHODS.join(", ")}.`);
  if (body !== null && (method == "GET" || method == "HEAD")) return wrong("body with", method, "Leave it out.");
  const headers = new Headers();
  for (const [name, value] of pairs) {
    if (!isHeader(name, value)) return wrong("header", name, "Leave out what a browser or a proxy writes, and what no header may hold.");
    headers.append(name, value);
  }
  headers.set("Authorization", "Bearer " + token);
  // A browser would take the token along to wherever it is sent on to.
  return { url, init: { method, headers, body, signal, credentials: "omit", redirect: "manual" } };
}

/** Bytes that can be handed over: those that lie alone in their buffer. */
const whole = (bytes) => (bytes.byteLength == bytes.buffer.byteLength ? bytes : bytes.slice());

/** The calls under way. */
export class Calls {
  #post;
  #account;
  #refused;
  /** In the order in which they began. */
  #calls = new Map();

  /** `account` gives the token and the organization; `refused` is told of a token that the platform does not take. */
  constructor(post, account, refused) {
    this.#post = post;
    this.#account = account;
    this.#refused = refused;
  }

  /** Takes what the port brought; what is no call passes in silence. */
  hear(data) {
    const call = readCall(data);
    if (call?.type == "fetch") this.#fetch(call);
    if (call?.type == "pull") this.#pull(call.id);
    if (call?.type == "cancel") this.#forget(call.id);
  }

  /** Whatever is under way is over; the page is told with a code. What the platform said of a token that it refused stays. */
  end(code) {
    for (const [id, call] of [...this.#calls]) {
      if (code && call.isRefusal) continue;
      this.#forget(id);
      if (code) this.#refuse(id, code);
    }
  }

  #refuse(id, code, description = null) {
    this.#post(write("broken", id, code, description));
  }

  #fail(id, code, description) {
    if (this.#forget(id)) this.#refuse(id, code, description);
  }

  #forget(id) {
    this.#calls.get(id)?.abort.abort();
    return this.#calls.delete(id);
  }

  async #fetch(asked) {
    const { id } = asked;
    const account = this.#account();
    if (!account) return this.#refuse(id, "login_required");
    // An id is used once: whatever is said of it is said of the first.
    if (this.#calls.has(id)) return;
    const abort = new AbortController();
    const request = requested(asked, account, abort.signal);
    if (isText(request)) return this.#refuse(id, "invalid_options", request);
    if (!this.#makeRoom()) return this.#refuse(id, "invalid_options", FULL);
    const call = { abort, reader: undefined, isReading: false, isRefusal: false };
    this.#calls.set(id, call);
    try {
      const response = await fetch(request.url, request.init);
      if (response.type == "opaqueredirect") return this.#fail(id, "network_error", REDIRECTED);
      // An answer comes from where the call went.
      if (!response.url.startsWith(location.origin + PREFIX)) throw response;
      if (this.#calls.get(id) == call) this.#answer(id, call, response);
      if (response.status == 401) this.#refused(account.token);
    } catch {
      if (this.#calls.get(id) == call) this.#fail(id, "network_error");
    }
  }

  /** Makes room for one more. Calls whose answer is being waited for are not given up. */
  #makeRoom() {
    if (this.#calls.size < MOST_CALLS) return true;
    const [id] = [...this.#calls].find(([, { reader, isReading }]) => reader && !isReading) ?? [];
    if (id) this.#fail(id, "network_error", MADE_ROOM);
    return !!id;
  }

  #answer(id, call, response) {
    const { status, body } = response;
    call.isRefusal = status == 401;
    const headers = [...response.headers];
    call.reader = body?.getReader();
    this.#post(write("head", id, status, headers.length > MOST_HEADERS ? [] : shown(headers)));
    if (!body) this.#finish(id);
  }

  #finish(id) {
    this.#forget(id);
    this.#post(write("end", id));
  }

  /** Sends the next bytes. */
  async #pull(id) {
    const call = this.#calls.get(id);
    if (!call?.reader || call.isReading) return;
    call.isReading = true;
    const read = await call.reader.read().catch(() => undefined);
    // The page may have cancelled meanwhile.
    if (this.#calls.get(id) != call) return;
    call.isReading = false;
    if (read?.done) return this.#finish(id);
    if (!(read?.value instanceof Uint8Array)) return this.#fail(id, "network_error");
    const data = whole(read.value);
    this.#post(write("chunk", id, data), [data.buffer]);
  }
}
