// The frame's own modules, as far as they decide something: what the toolbar says and where it is dragged to, what counts
// as an answer, and what is asked for after what.
import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { CORNERS, Drag, next, toward } from "../../iframe/corner.js";
import { readIssues } from "../../iframe/issues.js";
import { readCall, readFromWindow, readIssued, readSession, readToFrame, write } from "../../iframe/messages.js";
import { describe, exchange, send } from "../../iframe/platform.js";
import { prepare } from "../../iframe/request.js";
import { Session } from "../../iframe/session.js";
import * as table from "../../iframe/table.js";
import { initials, words } from "../../iframe/toolbar.js";
import { CODES } from "../../sdk/errors.js";
import { readMessage } from "../../sdk/messages.js";

test("initials are of the first and the last word", () => {
  for (const [name, letters] of [
    ["Ada Lovelace", "AL"],
    ["ada", "a"],
    ["Juan Carlos de Borbón", "JB"],
    ["  Grace   Hopper  ", "GH"],
    ["李 小龙", "李小"],
    ["😀a 😁b", "😀😁"],
    ["", ""],
  ]) {
    assert.equal(initials(name), letters);
  }
});

test("every failure has words that end as sentences do", () => {
  for (const code of [...CODES, "", "__proto__", "toString"]) assert.match(words(code), /^[A-Z].*\.$/, code);
});

test("an arrow leads to the corner on its side, and no other key leads anywhere", () => {
  const corners = ["bottom-right", "bottom-left", "top-left", "top-right"];
  for (const [key, to] of [
    ["ArrowLeft", ["bottom-left", "bottom-left", "top-left", "top-left"]],
    ["ArrowRight", ["bottom-right", "bottom-right", "top-right", "top-right"]],
    ["ArrowUp", ["top-right", "top-left", "top-left", "top-right"]],
    ["ArrowDown", ["bottom-right", "bottom-left", "bottom-left", "bottom-right"]],
  ]) {
    corners.forEach((from, index) => assert.equal(toward(from, key), to[index], `${from} ${key}`));
  }
  for (const key of ["Enter", "__proto__", "toString"]) assert.equal(toward("top-left", key), undefined);
});

test("four steps lead around the page", () => {
  let corner = CORNERS[0];
  const seen = CORNERS.map(() => (corner = next(corner)));
  assert.deepEqual([...seen].sort(), [...CORNERS].sort());
  assert.equal(corner, CORNERS[0]);
});

const at = ([screenX, screenY], [clientX, clientY]) => ({ pointerId: 1, screenX, screenY, clientX, clientY });
const drag = () => new Drag(at([500, 500], [20, 20]));

test("an unsteady hand drags nothing", () => {
  const one = drag();
  assert.equal(one.to(at([502, 502], [22, 22])), undefined);
  assert.ok(!one.isOne);
  assert.deepEqual(one.to(at([503, 504], [23, 24])), [3, 4]);
  // From here on it follows every pixel, and back to where it began.
  assert.deepEqual(one.to(at([500, 501], [20, 21])), [0, 1]);
});

test("the frame that follows the pointer is no part of the way", () => {
  const one = drag();
  one.to(at([490, 500], [10, 20]));
  assert.deepEqual(one.to(at([300, 400], [20, 20])), [-200, -100]);
});

test("on a page of twice the size it goes half as many pixels", () => {
  const one = drag();
  assert.deepEqual(one.to(at([500, 510], [20, 25])), [0, 5]);
  assert.deepEqual(one.to(at([700, 500], [20, 20])), [100, 0]);
});

test("rounding is no zoom, and neither is a screen that is not told", () => {
  const one = drag();
  one.to(at([505, 500], [24, 20]));
  assert.deepEqual(one.to(at([600, 500], [20, 20])), [100, 0]);
  const blind = new Drag(at([0, 0], [20, 20]));
  assert.deepEqual(blind.to(at([0, 0], [40, 20])), [0, 0]);
});

const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withTypedArray: true });

test("anything at all is no message, no session and no token, and breaks nothing", () => {
  fc.assert(
    fc.property(anything, (data) => {
      for (const read of [readFromWindow, readToFrame, readCall, readIssued, readIssues]) assert.equal(read(data), undefined);
      assert.equal(readSession(data, 1), undefined);
    }),
    { numRuns: 2000 },
  );
});

test("a message with one property more, less or of anything else is none", () => {
  const whole = { type: "adopt", access_token: "t", expires_in: 60, replaces: false };
  assert.equal(readToFrame(whole), whole);
  fc.assert(
    fc.property(fc.constantFrom("access_token", "expires_in", "replaces"), anything, fc.string(), (name, value, more) => {
      const fits = {
        access_token: typeof value == "string",
        expires_in: Number.isInteger(value) && value >= 0 && value < 2 ** 32,
        replaces: typeof value == "boolean",
      }[name];
      assert.equal(readToFrame({ ...whole, [name]: value }) !== undefined, fits);
      const { [name]: _, ...less } = whole;
      assert.equal(readToFrame(less), undefined);
      if (!(more in whole) && more != "__proto__") assert.equal(readToFrame({ ...whole, [more]: 1 }), undefined, more);
    }),
    { numRuns: 2000 },
  );
});

test("what is written here is read by the SDK", () => {
  for (const message of [write("place", "top-left"), write("move", -1, 2), write("drop"), write("broken", 1, "aborted"), write("resize", 416, 60)]) {
    assert.equal(readMessage(message), message);
  }
});

test("a token is of type bearer, with a whole lifetime", () => {
  const whole = { access_token: "t", token_type: "Bearer", expires_in: 60 };
  assert.equal(readIssued(whole).token, "t");
  assert.equal(readIssued({ ...whole, token_type: "bearer", refresh_token: "r" }).refresh, "r");
  for (const wrong of [{ access_token: 1 }, { token_type: "mac" }, { token_type: null }, { expires_in: "60" }, { expires_in: -1 }, { refresh_token: null }]) {
    assert.equal(readIssued({ ...whole, ...wrong }), undefined);
  }
});

test("a list of issues is one with all that is shown of each, and no longer than was asked for", () => {
  const issue = { id: "1", title: "t", count: 2, project: { name: "p" } };
  assert.deepEqual(readIssues({ issues: [issue], next_cursor: "c" }), { issues: [issue], areMore: true });
  for (const wrong of [{ id: 1 }, { title: null }, { count: "2" }, { project: null }, { project: {} }]) {
    assert.equal(readIssues({ issues: [{ ...issue, ...wrong }] }), undefined);
  }
  assert.equal(readIssues({ issues: Array(5).fill(issue) }), undefined);
});

test("a request is made of chance, and its challenge is the verifier's", async () => {
  const [state, nonce, challenge, verifier] = await prepare();
  const all = [state, nonce, challenge, verifier];
  assert.equal(new Set(all).size, 4);
  for (const text of all) assert.match(text, /^[\w-]{43}$/);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  assert.equal(Buffer.from(digest).toString("base64url"), challenge);
});

const answering = (t, ...answers) => {
  const asked = [];
  t.mock.method(globalThis, "fetch", async (path, init) => {
    asked.push([path, init]);
    const [status, body] = answers.shift() ?? [];
    if (!status) throw new TypeError("x");
    return new Response(status == 204 ? null : typeof body == "string" ? body : JSON.stringify(body), { status });
  });
  return asked;
};

test("who asks brings the token or the cookie and never both", async (t) => {
  const asked = answering(t, [204], [200, {}], [200, {}]);
  await send("/a", { token: "t" });
  await send("/b", { isFrame: true, fields: { x: "a b" } });
  await send("/c", { fields: { client_id: "c" } });
  const seen = asked.map(([path, { method, credentials, headers, body }]) => [path, method, credentials, headers, body?.toString()]);
  assert.deepEqual(seen, [
    ["/a", "GET", "omit", { Authorization: "Bearer t" }, undefined],
    ["/b", "POST", "same-origin", { "Latchkey-Frame": "1" }, "x=a+b"],
    ["/c", "POST", "omit", {}, "client_id=c"],
  ]);
});

test("an answer is JSON, or a code says why there is none", async (t) => {
  answering(t, [200, { a: 1 }], [400, { error: "login_required" }], [400, { error: 1 }], [500, "x"], [200, "x"]);
  const codes = [];
  for (let i = 0; i < 6; i += 1) codes.push((await send("/", {})).code);
  assert.deepEqual(codes, [undefined, "login_required", "server_error", "server_error", "server_error", "network_error"]);
});

test("a refresh token that is of no use any more ends the session, and a platform that is away does not", async (t) => {
  answering(t, [400, { error: "invalid_grant" }], [500, {}], [400, { error: "invalid_grant" }]);
  assert.equal((await exchange({ refresh_token: "r" })).code, "session_expired");
  assert.equal((await exchange({ refresh_token: "r" })).code, "server_error");
  assert.equal((await exchange({ code: "c" })).code, "invalid_grant");
});

const info = (more) => ({ client_id: "c1", organization: { id: "o", slug: "acme", name: "A" }, user: { id: "u", name: "U" }, scopes: [], ...more });

test("whose a token is the platform says", async (t) => {
  answering(t, [200, info()], [401, { error: "session_expired" }], [200, { user: {} }]);
  const { session, token, clientId } = await describe({ token: "t", expiresAt: 5 });
  assert.deepEqual([session.user, session.expires_at, token, clientId], [{ id: "u", name: "U" }, 5, "t", "c1"]);
  assert.equal((await describe({ token: "t", expiresAt: 5 })).code, "session_expired");
  assert.equal((await describe({ token: "t", expiresAt: 5 })).code, "server_error");
  assert.equal((await describe({ code: "network_error" })).code, "network_error");
});

/** What the other tabs are told, by whom nobody is kept waiting. */
globalThis.BroadcastChannel = class {
  static told = [];
  constructor(name) {
    this.name = name;
    globalThis.BroadcastChannel.last = this;
  }
  postMessage(data) {
    globalThis.BroadcastChannel.told.push(data);
  }
  close() {}
};

/** A session whose core writes down what it is told, and answers what the test says. */
function started({ keeps = false, ...options } = {}) {
  globalThis.document = { addEventListener() {} };
  const heard = new Map();
  globalThis.addEventListener = (name, hear) => heard.set(name, hear);
  const noted = options.noted instanceof Set ? options.noted : new Set(options.noted);
  const storage = options.storage
    ? { getItem: (key) => options.storage.get(key) ?? null, setItem: (key, word) => options.storage.set(key, String(word)), removeItem: (key) => options.storage.delete(key) }
    : { getItem: (key) => (noted.has(key) ? "1" : null), setItem: (key) => noted.add(key), removeItem: (key) => noted.delete(key) };
  const get = () => {
    if (options.isDenied) throw new DOMException("Access is denied for this document.", "SecurityError");
    return storage;
  };
  Object.defineProperty(globalThis, "localStorage", { get, configurable: true });
  const steps = [];
  const posted = [];
  const shown = [];
  const core = { turn: () => 7, attempt: () => 3, tries_cookie: () => true, step: (...step) => (steps.push(step), options.step?.(session, ...step)), post: (message) => posted.push(message) };
  const session = new Session("c1", (held) => shown.push(held.token), () => shown.push(null));
  session.start(core);
  const flags = session.begin("https://shop.example", keeps);
  return { session, steps, posted, shown, flags, heard };
}
const settle = () => new Promise((done) => setTimeout(done, 20));

const CLOSE_PATH = "/toolbar/c1/session/?origin=https%3A%2F%2Fshop.example&tokens=";

test("what a frame keeps to itself no frame finds or hears that hands tokens out", async (t) => {
  const [page, frame] = ["session c1 https://shop.example", "session c1 https://shop.example frame"];
  for (const [noted, keeps, expected] of [
    [[], false, 0],
    [[page], false, table.MARKED],
    [[frame], false, table.OTHERWISE],
    [[page], true, table.OTHERWISE],
    [[frame], true, table.MARKED],
    [[page, frame], true, table.MARKED | table.OTHERWISE],
  ]) {
    assert.equal(started({ keeps, noted }).flags, expected, `${noted} ${keeps}`);
    assert.equal(BroadcastChannel.last.name, "latchkey c1 https://shop.example" + (keeps ? " frame" : ""));
  }
  for (const [keeps, other, left] of [[false, "frame", page], [true, "page", frame]]) {
    const asked = answering(t, [204]);
    const { session } = started({ keeps, noted: [page, frame] });
    session.act(table.CLOSE_OTHERWISE, "");
    assert.deepEqual(asked.map(([path, { method }]) => [path, method]), [[CLOSE_PATH + other, "DELETE"]]);
    assert.deepEqual([page, frame].filter((key) => localStorage.getItem(key)), [left]);
    t.mock.restoreAll();
  }
});

test("where a browser denies the storage the frame notes in cookies, which are its own", async (t) => {
  const jar = new Map();
  const set = (text) => {
    const [, name, value, age] = /^([^=]+)=([^;]*); Path=\/; Secure; SameSite=None; Partitioned; Max-Age=(\d+)$/.exec(text);
    assert.match(name, /^__Host-latchkey_note_[\w%.-]+$/);
    if (age > 0) jar.set(name, value);
    else jar.delete(name);
  };
  const get = () => [...jar].map((pair) => pair.join("=")).join("; ");
  const begin = (keeps = false) => {
    const begun = started({ keeps, isDenied: true });
    Object.defineProperty(globalThis.document, "cookie", { get, set, configurable: true });
    return { ...begun, flags: begun.session.begin("https://shop.example", keeps) };
  };
  const { session, flags } = begin();
  assert.equal(flags, 0);
  session.act(table.MARK, "");
  assert.equal(begin().flags, table.MARKED);
  assert.equal(begin(true).flags, table.OTHERWISE);
  // A sign-out that nobody hears of is noted there, too.
  const asked = answering(t, [], [204]);
  session.act(table.UNMARK | table.CLOSE, "");
  await settle();
  assert.equal(begin().flags, 0);
  await settle();
  assert.deepEqual([asked.map(([, { method }]) => method), jar.size], [["DELETE", "DELETE"], 0]);
});

test("where it may note nothing at all there is nothing to ask for, and nothing breaks", async (t) => {
  answering(t, [204], [204]);
  const { session, flags } = started({ isDenied: true });
  session.act(table.MARK | table.UNMARK | table.CLOSE | table.CLOSE_OTHERWISE, "");
  await settle();
  assert.equal(flags, 0);
});

test("a browser without the cookie is told so without an error, and then the refresh token is used", async (t) => {
  for (const refresh of [null, "r"]) {
    const issued = { access_token: "t", token_type: "Bearer", expires_in: 60, refresh_token: refresh };
    const asked = answering(t, ...(refresh ? [[200, issued], [200, info()]] : []), [204], [400, { error: "invalid_grant" }]);
    const step = (session, event) => event == table.CAME && session.act(table.TAKE, "");
    const { session, steps } = started({ step });
    if (refresh) session.takeCode("s", "code", "verifier", "uri", null);
    await settle();
    session.act(table.ASK, "");
    await settle();
    const [event, , , , code] = steps.at(-1);
    assert.deepEqual([event, code], [table.UNRENEWED, refresh ? "session_expired" : "login_required"]);
    assert.deepEqual(asked.map(([path]) => path).slice(refresh ? 2 : 0), ["/toolbar/c1/session/token/", ...(refresh ? ["/oauth/token/"] : [])]);
    t.mock.restoreAll();
  }
});

test("a sign-out that the platform did not hear of is told to it before anything else, and nothing comes back meanwhile", async (t) => {
  for (const keeps of [false, true]) {
    const own = "session c1 https://shop.example" + (keeps ? " frame" : "");
    const noted = new Set([own]);
    const asked = answering(t, [], [], [204], [204]);
    const begin = () => started({ keeps, noted });
    const methods = () => asked.map(([path, { method }]) => `${method} ${path}`);
    const [end, ask] = [`DELETE ${CLOSE_PATH}${keeps ? "frame" : "page"}`, "POST /toolbar/c1/session/token/"];
    const { session } = begin();
    session.act(table.CLOSE, "");
    await settle();
    assert.deepEqual(methods(), [end]);
    // Offline still, and whatever notes a session.
    noted.add(own);
    const next = begin();
    assert.equal(next.flags, 0);
    next.session.act(table.ASK, "");
    await settle();
    assert.deepEqual(methods(), [end, end]);
    assert.deepEqual(next.steps.map(([event, , , , code]) => [event, code]), [[table.UNRENEWED, "login_required"]]);
    // Online again, once.
    next.session.finish();
    next.session.finish();
    await settle();
    assert.deepEqual(methods(), [end, end, end]);
    assert.equal(begin().flags, table.MARKED);
    next.session.act(table.ASK, "");
    await settle();
    assert.deepEqual(methods(), [end, end, end, ask]);
    t.mock.restoreAll();
  }
});

test("what opens in the place of what was to be closed is not closed", async (t) => {
  const asked = answering(t, [], [200, info()], [204]);
  const step = (session, event) => event == table.CAME && session.act(table.TAKE | table.OPEN, "");
  const { session, steps } = started({ step });
  session.act(table.CLOSE, "");
  await settle();
  session.takeToken("s", "t", 60, "h");
  await settle();
  session.finish();
  await settle();
  assert.deepEqual([asked.length, steps.at(-1)[0]], [3, table.OPENED]);
});

test("a page that comes while the session of the one before it is being made waits for it", async (t) => {
  // Until then the cookie is none, or that of a session before it, which has ended.
  for (const [answers, keeps] of [[[[204], [403, { error: "session_expired" }]], false], [[[204]], true]]) {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1e12 });
    const storage = new Map();
    const asked = answering(t, [200, info()], [], ...answers, [200, { access_token: "t2", token_type: "Bearer", expires_in: 60 }], [200, info()]);
    const turns = async () => {
      for (let i = 0; i < 50; i += 1) await Promise.resolve();
    };
    const begin = (step) => started({ keeps, storage, step });
    begin((session, event) => event == table.CAME && session.act(table.TAKE | table.OPEN, "")).session.takeToken("s", "t", 60, "h");
    await turns();
    assert.equal(asked.length, 2, "nobody hears the answer to the second one");
    const { session, steps, flags } = begin();
    assert.equal(flags, table.MARKED);
    session.act(table.ASK, "");
    for (const time of answers) {
      await turns();
      assert.deepEqual(steps, []);
      t.mock.timers.tick(time[0] == 204 ? 250 : 500);
    }
    await turns();
    assert.deepEqual(steps.map(([event]) => event), [table.RENEWED]);
    t.mock.timers.reset();
    t.mock.restoreAll();
  }
});

test("what is not there in time was not made", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1e12 });
  for (const age of [15_000, -1]) {
    answering(t, [204]);
    const storage = new Map([["session c1 https://shop.example", 1e12 - age]]);
    const { session, steps } = started({ storage });
    session.act(table.ASK, "");
    await settle();
    assert.deepEqual(steps.map(([event]) => event), [table.UNRENEWED]);
    t.mock.restoreAll();
  }
});

test("a session that does not open is told", async (t) => {
  answering(t, [200, info()], [403, { error: "session_expired" }]);
  const step = (session, event) => event == table.CAME && session.act(table.TAKE | table.OPEN, "");
  const { session, steps } = started({ step });
  session.takeToken("s", "t", 60, "h");
  await settle();
  assert.deepEqual(steps.map(([event]) => event), [table.CAME, table.UNOPENED]);
});

test("tabs that want another token at once ask for one, one after the other, and share it", async (t) => {
  // As the browser does it: of one name, one at a time.
  const held = new Map();
  const request = async (name, work) => {
    const before = held.get(name);
    let done;
    held.set(name, new Promise((resolve) => (done = resolve)));
    await before;
    try {
      return await work();
    } finally {
      done();
    }
  };
  const channels = [];
  class Channel {
    constructor() {
      channels.push(this);
    }
    postMessage(data) {
      for (const other of channels) if (other != this) other.onmessage({ data });
    }
  }
  for (const [name, value] of Object.entries({ navigator: { locks: { request } }, BroadcastChannel: Channel })) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    t.after(() => (before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]));
  }
  const asked = [];
  t.mock.method(globalThis, "fetch", async (path) => {
    asked.push(path);
    await settle();
    return Response.json(path == "/api/0/" ? info() : { access_token: "t" + asked.length, token_type: "Bearer", expires_in: 60 });
  });
  const acts = { [table.RENEWED]: table.TAKE | table.TELL_RENEWED, [table.TAB_RENEWED]: table.TAKE };
  const step = (session, event) => acts[event] && session.act(acts[event], "");
  const tabs = [started({ step }), started({ step })];
  for (const { session } of tabs) session.act(table.ASK, "");
  for (let i = 0; i < 6; i += 1) await settle();
  assert.deepEqual(asked, ["/toolbar/c1/session/token/", "/api/0/"]);
  assert.deepEqual(tabs.map(({ steps }) => steps.map(([event]) => event)), [[table.RENEWED], [table.TAB_RENEWED, table.SHARED]]);
  assert.deepEqual(tabs.map(({ session }) => session.account.token), ["t1", "t1"]);
});

test("the platform is told whose token it will be", async (t) => {
  for (const keeps of [false, true]) {
    const asked = answering(t, [204], [204]);
    const { session } = started({ keeps });
    session.act(table.ASK, "");
    await settle();
    session.act(table.CLOSE, "");
    await settle();
    const told = asked.map(([path, { body }]) => body?.get("tokens") ?? new URLSearchParams(path.split("?")[1]).get("tokens"));
    assert.deepEqual(told, Array(2).fill(keeps ? "frame" : "page"));
    t.mock.restoreAll();
  }
});

test("a token that the page hands over is shown only if it is of this application", async (t) => {
  for (const [client_id, adopted] of [["c1", 1], ["c2", 0], [undefined, 0], [["c1"], 0]]) {
    answering(t, [200, info({ client_id })]);
    const { session, steps } = started({ step: (session, event) => event == table.HANDED && session.act(table.ADOPT, "") });
    session.hand("t", 60);
    await settle();
    assert.equal(steps.filter(([event]) => event == table.ADOPTED).length, adopted, String(client_id));
    t.mock.restoreAll();
  }
});

test("a token that the page hands over and the platform does not know is none", async (t) => {
  answering(t, [401, { error: "session_expired" }]);
  const { session, steps, posted, shown } = started({ step: (session, event) => event == table.HANDED && session.act(table.ADOPT, "") });
  session.hand("t", 60);
  await settle();
  assert.deepEqual([steps.length, posted, shown], [1, [], []]);
});

test("the page learns of a session, and of the token only where it holds it", async (t) => {
  for (const keeps of [false, true]) {
    answering(t, [200, info()]);
    const step = (session, event) => event == table.CAME && session.act(table.TAKE | table.POST_SIGNED_IN, "");
    const { session, posted, shown } = started({ keeps, step });
    session.takeToken("s", "t", 60, null);
    await settle();
    assert.deepEqual(posted.map(({ type, state, access_token }) => [type, state, access_token]), [["signed_in", "s", keeps ? null : "t"]]);
    assert.deepEqual([shown, session.account], [["t"], { token: "t", organization: "acme" }]);
    t.mock.restoreAll();
  }
});

test("what came of a response nobody waits for any more is revoked, with all that came along", async (t) => {
  for (const [refresh_token, revoked] of [[undefined, "t"], ["r", "r"]]) {
    const asked = answering(t, [200, { access_token: "t", token_type: "Bearer", expires_in: 60, refresh_token }], [200, info()], [200, {}]);
    const { session, steps, posted } = started({ step: (session, event) => event == table.CAME && session.act(table.DISCARD, "") });
    session.takeCode("s", "code", "verifier", "uri", null);
    await settle();
    const [path, { body }] = asked.at(-1);
    assert.deepEqual([path, body.get("token"), steps.length, posted], ["/oauth/revoke/", revoked, 1, []]);
    t.mock.restoreAll();
  }
});

test("a response that opens nothing says so, and of which attempt it was", async (t) => {
  answering(t, [400, { error: "invalid_grant" }]);
  const { session, steps, posted } = started();
  session.takeCode("s", "code", "verifier", "uri", null);
  await settle();
  assert.deepEqual(steps.map(([event, , , turn, code]) => [event, turn, code]), [[table.FAILED, 3, "invalid_grant"]]);
  assert.deepEqual(posted, []);
});

test("another application's token is nobody's session, whatever brought it, and is revoked", async (t) => {
  for (const [refresh_token, revoked] of [[undefined, "t"], ["r", "r"]]) {
    const asked = answering(t, [200, { access_token: "t", token_type: "Bearer", expires_in: 60, refresh_token }], [200, info({ client_id: "c2" })], [200, {}]);
    const { session, steps } = started();
    session.takeCode("s", "code", "verifier", "uri", null);
    await settle();
    assert.deepEqual(steps.map(([event, , , turn, code]) => [event, turn, code]), [[table.FAILED, 3, "server_error"]]);
    assert.deepEqual([asked.at(-1)[0], asked.at(-1)[1].body.get("token")], ["/oauth/revoke/", revoked]);
    t.mock.restoreAll();
  }
});

test("a renewal tries the cookie, then the refresh token, and says in what turn it was asked for", async (t) => {
  const tokens = { access_token: "t1", token_type: "Bearer", expires_in: 60, refresh_token: "r1" };
  const nobody = [401, { error: "login_required" }];
  const asked = answering(t, [200, tokens], [200, info()], nobody, [200, { ...tokens, access_token: "t2", refresh_token: undefined }], [200, info()]);
  const { session, steps } = started({ step: (session, event) => event == table.CAME && session.act(table.TAKE, "") });
  session.takeCode("s", "code", "verifier", "uri", null);
  await settle();
  session.act(table.ASK, "");
  await settle();
  assert.deepEqual(asked.map(([path, { body }]) => [path, body?.get("grant_type")]), [
    ["/oauth/token/", "authorization_code"],
    ["/api/0/", undefined],
    ["/toolbar/c1/session/token/", null],
    ["/oauth/token/", "refresh_token"],
    ["/api/0/", undefined],
  ]);
  assert.deepEqual(steps.map(([event, flags, , turn, code]) => [event, flags, turn, code]), [
    [table.CAME, table.REFRESH, 3, ""],
    [table.RENEWED, table.REFRESH | table.SAME, 7, ""],
  ]);
});

test("what is renewed too late is revoked: a refresh token with all that stands on it, what a cookie brought alone", async (t) => {
  const tokens = { access_token: "t1", token_type: "Bearer", expires_in: 60, refresh_token: "r1" };
  const nobody = [401, { error: "login_required" }];
  for (const [answers, revoked] of [
    [[[200, { ...tokens, access_token: "t2", refresh_token: undefined }]], "t2"],
    [[nobody, [200, { ...tokens, access_token: "t2", refresh_token: "r2" }]], "r2"],
  ]) {
    const asked = answering(t, [200, tokens], [200, info()], ...answers, [200, info()], [200, {}]);
    const step = (session, event) => session.act({ [table.CAME]: table.TAKE, [table.RENEWED]: table.DISCARD }[event] ?? 0, "");
    const { session } = started({ step });
    session.takeCode("s", "code", "verifier", "uri", null);
    await settle();
    session.act(table.ASK, "");
    await settle();
    assert.deepEqual([asked.at(-1)[0], asked.at(-1)[1].body.get("token")], ["/oauth/revoke/", revoked]);
    t.mock.restoreAll();
  }
});

/** A platform that answers what is asked of the cookie one after the other, when it is told to. */
function waitingOnes(t) {
  const asked = [];
  const waiting = [];
  t.mock.method(globalThis, "fetch", async (path, { method, headers, body }) => {
    if (path == "/api/0/") return Response.json(info());
    asked.push([method, body?.get("handle") ?? headers["Latchkey-Handle"]].filter(Boolean).join(" "));
    if (!(await new Promise((done) => waiting.push(done)))) throw new TypeError("x");
    return new Response(null, { status: 204 });
  });
  const answer = async (status = 204) => {
    waiting.shift()(status);
    await settle();
  };
  return { asked, answer };
}

test("a session that opens too late is closed", async (t) => {
  const { asked, answer } = waitingOnes(t);
  const acts = { [table.CAME]: table.TAKE | table.OPEN, [table.OPENED]: table.CLOSE };
  const { session } = started({ step: (session, event) => session.act(acts[event], "") });
  session.takeToken("s", "t", 60, "a");
  await settle();
  await answer();
  assert.deepEqual(asked, ["POST a", "DELETE"]);
});

test("one session is made after the other, and the last one is told", async (t) => {
  const { asked, answer } = waitingOnes(t);
  const step = (session, event) => event == table.CAME && session.act(table.TAKE | table.OPEN, "");
  const { session, steps } = started({ step });
  for (const handle of ["a", "b"]) {
    session.takeToken("s", "t", 60, handle);
    await settle();
  }
  assert.deepEqual(asked, ["POST a"]);
  await answer();
  assert.deepEqual(asked, ["POST a", "POST b"]);
  await answer();
  assert.deepEqual(steps.map(([event]) => event), [table.CAME, table.CAME, table.OPENED]);
});

test("who signs out while the session is being made ends it by its handle, and what the cookie opens now, at once", async (t) => {
  for (const status of [204, 0]) {
    const noted = new Set();
    const { asked, answer } = waitingOnes(t);
    const acts = { [table.CAME]: table.TAKE | table.OPEN };
    const { session, steps } = started({ noted, step: (session, event) => session.act(acts[event], "") });
    session.takeToken("s", "t", 60, "a");
    await settle();
    session.act(table.FORGET | table.CLOSE, "");
    // The page may be left in this moment, and another tab may sign in.
    assert.deepEqual(asked, ["POST a", "DELETE a", "DELETE"]);
    const closing = "closing c1 https://shop.example";
    assert.ok(noted.has(closing));
    await answer();
    await answer(status);
    await answer();
    // What was not heard of is told by the next page view.
    assert.deepEqual([steps.length, noted.has(closing)], [1, !status], "nobody is told of the session");
    t.mock.restoreAll();
  }
});

test("a sign-in that is over in another way leaves nothing behind that is being made", async (t) => {
  const { asked } = waitingOnes(t);
  const step = (session, event) => event == table.CAME && session.act(table.TAKE | table.OPEN, "");
  const { session } = started({ step });
  session.takeToken("s", "t", 60, "a");
  await settle();
  session.act(table.FORGET, "");
  assert.deepEqual(asked, ["POST a", "DELETE a"]);
});

test("who signs out before the session began to be made sees to it that none is", async (t) => {
  const { asked, answer } = waitingOnes(t);
  const step = (session, event) => event == table.CAME && session.act(table.TAKE | table.OPEN, "");
  const { session } = started({ step });
  for (const handle of ["a", "b"]) {
    session.takeToken("s", "t", 60, handle);
    await settle();
  }
  session.act(table.CLOSE, "");
  for (let i = 0; i < 3; i += 1) await answer();
  assert.deepEqual(asked, ["POST a", "DELETE b", "DELETE"]);
});

test("a session is made at once, whatever is being closed", async (t) => {
  const { asked } = waitingOnes(t);
  const step = (session, event) => event == table.CAME && session.act(table.TAKE | table.OPEN, "");
  const { session } = started({ step });
  session.act(table.CLOSE, "");
  session.takeToken("s", "t", 60, "a");
  await settle();
  assert.deepEqual(asked, ["DELETE", "POST a"]);
});

test("a session that was not made leaves what was noted of another tab's", async (t) => {
  for (const before of [undefined, "1"]) {
    answering(t, [200, info()], [503, {}]);
    const key = "session c1 https://shop.example";
    const storage = new Map(before && [[key, before]]);
    const step = (session, event) => event == table.CAME && session.act(table.TAKE | table.OPEN, "");
    started({ storage, step }).session.takeToken("s", "t", 60, "a");
    await settle();
    assert.equal(storage.get(key), before);
    t.mock.restoreAll();
  }
});

test("a page that is left ends nothing of which it did not hear", async (t) => {
  for (const isLeft of [false, true]) {
    const { asked, answer } = waitingOnes(t);
    const step = (session, event) => event == table.CAME && session.act(table.CLOSE | table.TAKE | table.OPEN, "");
    const { session, heard } = started({ step });
    session.takeToken("s", "t", 60, "a");
    await settle();
    if (isLeft) heard.get("pagehide")();
    await answer();
    await answer(0);
    assert.deepEqual(asked.slice(2), isLeft ? [] : ["DELETE"]);
    t.mock.restoreAll();
  }
});

test("the session before it is ended while the next one is made, both at once, and ended for good where none is made", async (t) => {
  for (const [status, rest] of [[204, []], [0, ["DELETE"]]]) {
    const { asked, answer } = waitingOnes(t);
    const step = (session, event) => event == table.CAME && session.act(table.CLOSE | table.UNMARK | table.TAKE | table.OPEN, "");
    const { session } = started({ step });
    session.takeToken("s", "t", 60, "a");
    await settle();
    assert.deepEqual(asked, ["DELETE", "POST a"]);
    await answer();
    await answer(status);
    assert.deepEqual(asked.slice(2), rest);
    t.mock.restoreAll();
  }
});

test("what may come yet of the page before is closed once more by the next one", async (t) => {
  const [key, closing] = ["session c1 https://shop.example", "closing c1 https://shop.example"];
  for (const [age, isNoted] of [[1_000, true], [60_000, false]]) {
    const asked = answering(t, [204], [204], [204]);
    const storage = new Map([[key, Date.now() - age]]);
    const { session } = started({ storage });
    session.act(table.UNMARK | table.CLOSE, "");
    await settle();
    assert.equal(storage.has(closing), isNoted);
    started({ storage });
    await settle();
    assert.deepEqual([asked.length, storage.has(closing)], [isNoted ? 2 : 1, isNoted], "it may still come");
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 16_000 });
    started({ storage });
    await settle();
    assert.equal(storage.has(closing), false);
    t.mock.timers.reset();
    t.mock.restoreAll();
  }
});

test("a refresh token that came with a token nobody could look at is the next one", async (t) => {
  const tokens = { access_token: "t1", token_type: "Bearer", expires_in: 60, refresh_token: "r1" };
  const nobody = [401, { error: "login_required" }];
  const asked = answering(t, [200, tokens], [200, info()], nobody, [200, { ...tokens, refresh_token: "r2" }], [], nobody, [400, { error: "invalid_grant" }]);
  const { session, steps } = started({ step: (session, event) => event == table.CAME && session.act(table.TAKE, "") });
  session.takeCode("s", "code", "verifier", "uri", null);
  await settle();
  for (const _ of [1, 2]) {
    session.act(table.ASK, "");
    await settle();
  }
  assert.deepEqual(steps.slice(1).map(([event, , , , code]) => [event, code]), [[table.UNRENEWED, "network_error"], [table.UNRENEWED, "session_expired"]]);
  assert.equal(asked.at(-1)[1].body.get("refresh_token"), "r2");
});

test("a renewal that brings nothing says why", async (t) => {
  answering(t, [200, info()], [403, { error: "membership_required" }]);
  const { session, steps } = started({ step: (session, event) => event == table.CAME && session.act(table.TAKE, "") });
  session.takeToken("s", "t", 60, null);
  await settle();
  session.act(table.ASK, "");
  await settle();
  const [event, , , , code] = steps.at(-1);
  assert.deepEqual([event, code], [table.UNRENEWED, "membership_required"]);
});

test("another tab says who is signed in, or that the session is over, or nothing", () => {
  const { steps } = started();
  const tab = (data) => BroadcastChannel.last.onmessage({ data });
  const { organization, user, scopes } = info();
  const session = { organization, user, scopes, expires_at: 5 };
  for (const wrong of [null, 1, "ended", [], {}, { type: "renewed" }, { type: "renewed", access_token: 1, session }, { type: "renewed", access_token: "t", session: { ...session, user: 1 } }]) tab(wrong);
  assert.deepEqual(steps, []);
  tab({ type: "renewed", access_token: "t", session });
  tab({ type: "ended", code: "membership_required" });
  tab({ type: "ended", code: { toString: 1 } });
  assert.deepEqual(steps.map(([event, , expires, , code]) => [event, expires, code]), [
    [table.TAB_RENEWED, 5, ""],
    [table.TAB_ENDED, 0, "membership_required"],
    [table.TAB_ENDED, 0, ""],
  ]);
});
