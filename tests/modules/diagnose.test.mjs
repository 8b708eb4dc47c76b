// What a diagnosis finds, on facts as a browser would give them; the journeys have it find them in one.
import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { diagnose, judge } from "../../sdk/diagnose.js";

const SITE = "https://shop.example";
const PLATFORM = "https://platform.example";

/** A page on which all is well, but for what is changed. */
const facts = ({ options, headers, page, status, core, frame } = {}) => ({
  options: { platform: PLATFORM, clientId: "c1", version: 1, ...options },
  page: {
    address: SITE + "/cart",
    origin: SITE,
    isSecure: true,
    isTop: true,
    ancestors: [],
    cookies: true,
    storage: true,
    channel: true,
    compiles: true,
    hasWasm: true,
    metas: [],
    violations: [],
    ...page,
    headers: page?.headers === null ? null : { ...headers },
  },
  status: {
    code: 200,
    clock: 1_800_000_000,
    ...status,
    body: status?.body === null ? null : { allowed: true, opener: "kept", version: 1, now: 1_800_000_000, ...status?.body },
  },
  core: core ?? null,
  frame: frame ?? null,
});

/** The one finding there is, as level, check, header or setting, value. */
function only(changed) {
  const found = judge(facts(changed));
  assert.equal(found.length, 1, JSON.stringify(found, null, 2));
  const [{ level, check, header, setting, value, message }] = found;
  assert.ok(message.endsWith("."), message);
  return [level, check, header ?? setting, value];
}

const CSP = "Content-Security-Policy";

test("where all is well nothing is found", () => {
  assert.deepEqual(judge(facts()), []);
  const strict = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; frame-src ${PLATFORM}; connect-src 'self' ${PLATFORM}`;
  assert.deepEqual(judge(facts({ headers: { [CSP]: strict }, options: { wasm: SITE + "/latchkey_sdk_bg.wasm" } })), []);
});

test("a policy without the frame is told with the whole directive", () => {
  const headers = { [CSP]: `default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src ${PLATFORM}` };
  const value = `frame-src 'self' ${PLATFORM}`;
  assert.deepEqual(only({ headers, options: { mode: "iframe" } }), ["error", "frame-src", CSP, value]);
  assert.deepEqual(only({ headers }), ["warning", "frame-src", CSP, value], "auto goes without the frame");
  assert.deepEqual(only({ headers, options: { tokens: "frame" } })[0], "error", "where the token is, it can't");
  for (const mode of ["popup", "redirect"]) {
    const status = { body: { redirect_uri: "registered" } };
    assert.deepEqual(judge(facts({ headers, status, options: { mode } })), [], mode);
  }
});

test("a frame that no policy keeps out and that says nothing is told, and what may keep it", () => {
  for (const cookies of [true, undefined, "no"]) assert.deepEqual(judge(facts({ frame: { cookies } })), []);
  assert.deepEqual(only({ frame: false }), ["warning", "frame", "extensions and content blockers", null]);
  assert.deepEqual(only({ frame: false, options: { mode: "iframe" } })[0], "error");
  const headers = { [CSP]: "frame-src 'none'" };
  assert.deepEqual(only({ frame: false, headers })[1], "frame-src", "one reason is enough");
});

test("a policy without the platform's answers is told with the whole directive", () => {
  const policy = "script-src 'self' 'wasm-unsafe-eval'; connect-src https://api.example";
  const status = { code: 0, body: null };
  const asked = { headers: { [CSP]: policy }, status, options: { wasm: SITE + "/a.wasm" }, core: { ok: false } };
  assert.deepEqual(only(asked), ["error", "connect-src", CSP, `connect-src https://api.example ${PLATFORM} 'self'`]);
});

test("sources with paths let only some of the requests through", () => {
  const policy = (path) => ({ [CSP]: `connect-src ${PLATFORM}${path}` });
  assert.equal(only({ headers: policy("/api/") })[3], `connect-src ${PLATFORM}/api/ ${PLATFORM}`);
  assert.deepEqual(judge(facts({ headers: policy("/") })), []);
  const parts = ["/toolbar/c1/", "/api/0/", "/oauth/revoke/"].map((path) => PLATFORM + path).join(" ");
  assert.deepEqual(judge(facts({ headers: { [CSP]: "connect-src " + parts } })), []);
  assert.equal(only({ headers: { [CSP]: "connect-src " + parts }, options: { responseType: "code" } })[1], "connect-src");
});

test("a policy without WebAssembly is told with the whole directive", () => {
  const headers = { [CSP]: "script-src 'self' 'nonce-c2VjcmV0'" };
  const value = "script-src 'self' 'nonce-…' 'wasm-unsafe-eval'";
  assert.deepEqual(only({ headers, page: { compiles: false } }), ["error", "script-src", CSP, value]);
  assert.equal(only({ headers })[0], "warning", "it was seen to be compiled");
});

test("of several policies each one that is too narrow is told", () => {
  const headers = { [CSP]: `frame-src 'self', frame-src ${PLATFORM}, frame-src 'none'` };
  const found = judge(facts({ headers, options: { mode: "iframe" } }));
  assert.deepEqual(
    found.map(({ value }) => value),
    [`frame-src 'self' ${PLATFORM}`, `frame-src ${PLATFORM}`],
  );
});

test("a policy in the page itself is told as such", () => {
  const meta = '<meta http-equiv="Content-Security-Policy">';
  const page = { metas: ["frame-src 'self'; sandbox; frame-ancestors 'none'"] };
  assert.deepEqual(only({ page, options: { mode: "iframe" } }), ["error", "frame-src", meta, `frame-src 'self' ${PLATFORM}`]);
});

test("a policy that is only reported is told, and breaks nothing", () => {
  const name = "Content-Security-Policy-Report-Only";
  const found = only({ headers: { [name]: "frame-src 'self'" }, options: { mode: "iframe" } });
  assert.deepEqual(found, ["info", "frame-src", name, `frame-src 'self' ${PLATFORM}`]);
});

test("a policy that no header shows is known by what it stopped, once", () => {
  const text = "script-src 'self' 'nonce-YQ==' 'wasm-unsafe-eval'; frame-src 'self'";
  const violations = [{ text, isEnforced: true }, { text, isEnforced: true }];
  const headers = { [CSP]: text.replace("YQ==", "Yg==") };
  assert.equal(only({ headers, page: { violations }, options: { mode: "iframe" } })[1], "frame-src");
  const found = judge(facts({ page: { violations, headers: null }, options: { mode: "iframe" } }));
  assert.deepEqual(found.map(({ level, check }) => [level, check]), [["error", "frame-src"], ["info", "headers"]]);
});

test("a sandbox is told with all that it has to allow", () => {
  const value = "sandbox allow-scripts allow-forms allow-same-origin allow-popups allow-popups-to-escape-sandbox";
  assert.deepEqual(only({ headers: { [CSP]: "sandbox allow-scripts allow-forms" } }), ["error", "sandbox", CSP, value]);
  assert.deepEqual(judge(facts({ headers: { [CSP]: value } })), []);
  assert.equal(only({ page: { origin: "null" }, status: { body: {} } })[1], "sandbox");
});

test("a page that is cut off from its window is told how to be reached", () => {
  const COOP = "Cross-Origin-Opener-Policy";
  for (const value of ["same-origin", "same-origin; report-to=\"x\"", "noopener-allow-popups"]) {
    const headers = { [COOP]: value };
    assert.deepEqual(only({ headers }), ["error", "opener", COOP, "same-origin-allow-popups"]);
    const status = { body: { redirect_uri: "registered" } };
    assert.equal(only({ headers, status, options: { redirectUri: SITE + "/back" } })[0], "info", "there is another way");
    assert.deepEqual(judge(facts({ headers, status, options: { mode: "redirect" } })), []);
    assert.deepEqual(judge(facts({ headers, page: { isTop: false } })), [], "it is the top's that counts");
  }
  for (const value of ["same-origin-allow-popups", "unsafe-none"]) {
    assert.deepEqual(judge(facts({ headers: { [COOP]: value } })), []);
  }
  assert.deepEqual(only({ status: { body: { opener: "cut" } } }), ["error", "opener", "redirectUri", SITE + "/cart"]);
  assert.deepEqual(judge(facts({ status: { body: { opener: "cut", redirect_uri: "registered" } } })), []);
});

test("what the platform says of this site is told with what to register", () => {
  const setup_url = PLATFORM + "/toolbar/c1/setup/";
  const refused = { allowed: false, error: "origin_not_allowed", setup_url };
  assert.deepEqual(only({ status: { body: refused } }), ["error", "origin", "allowed origins", SITE]);
  assert.equal(judge(facts({ status: { body: refused } }))[0].setupUrl, setup_url);
  const elsewhere = { ...refused, setup_url: "https://evil.example/" };
  assert.equal(judge(facts({ status: { body: elsewhere } }))[0].setupUrl, undefined);
  const unknown = { allowed: false, error: "unknown_client" };
  assert.deepEqual(only({ status: { body: unknown } }), ["error", "client", "clientId", null]);
});

test("a redirect URI is told where it is not registered or not this site's", () => {
  const status = { body: { redirect_uri: "unregistered" } };
  const expected = ["error", "redirect-uri", "redirect URIs", SITE + "/cart"];
  assert.deepEqual(only({ status, options: { mode: "redirect" } }), expected);
  assert.deepEqual(only({ status, options: { redirectUri: SITE + "/back" } }), ["warning", "redirect-uri", "redirect URIs", SITE + "/back"]);
  const foreign = { mode: "redirect", redirectUri: "https://other.example/" };
  assert.deepEqual(only({ status, options: foreign }), ["error", "redirect-uri", "redirectUri", SITE + "/cart"]);
});

test("clocks that are apart, and versions, are told", () => {
  const clock = (seconds) => ({ clock: 1_800_000_000 + seconds });
  assert.deepEqual(judge(facts({ status: clock(59) })), []);
  for (const seconds of [61, -61]) {
    assert.deepEqual(only({ status: clock(seconds) }), ["warning", "clock", "clock of this device", "2027-01-15T08:00:00.000Z"]);
  }
  assert.deepEqual(only({ status: { body: { version: 2 } } }), ["error", "version", "@latchkey/sdk", "2"]);
  assert.deepEqual(judge(facts({ status: { body: { version: 2 } }, options: { version: undefined } })), []);
});

test("a platform that says nothing, or something else, is told", () => {
  assert.equal(only({ status: { code: 0, body: null } })[1], "network");
  for (const status of [{ code: 404, body: null }, { code: 200, body: null }, { code: 502, body: { allowed: "yes" } }]) {
    assert.deepEqual(only({ status }).slice(0, 2), ["error", "platform"]);
  }
  assert.equal(only({ options: { platform: "platform.example" } })[1], "platform");
  assert.equal(only({ options: { clientId: "" } })[1], "client");
});

test("plain http is told, where it stops something", () => {
  assert.deepEqual(only({ options: { platform: "http://platform.example" } }), ["error", "mixed-content", "platform", PLATFORM]);
  assert.equal(only({ options: { platform: "http://platform.localhost:8000" } })[0], "warning");
  const page = { address: "http://customer.localhost:8001/", origin: "http://customer.localhost:8001" };
  assert.deepEqual(judge(facts({ page, options: { platform: "http://platform.localhost:8000" } })), []);
  const plain = { address: "http://shop.example/", origin: "http://shop.example", isSecure: false };
  assert.deepEqual(only({ page: plain }), ["error", "secure-context", "address of this page", SITE]);
});

test("what the browser keeps from the page is told", () => {
  assert.equal(only({ page: { cookies: false } })[1], "cookies");
  assert.deepEqual(only({ frame: { cookies: false } }), ["warning", "cookies", "cookies of other sites", "allowed"]);
  assert.deepEqual(only({ page: { storage: false } }), ["warning", "storage", "site data", "allowed"]);
  const status = { body: { redirect_uri: "registered" } };
  assert.equal(only({ page: { storage: false }, status, options: { mode: "redirect" } })[0], "error");
  assert.equal(only({ page: { channel: false } })[0], "info");
  assert.equal(only({ page: { hasWasm: false, compiles: false } })[2], "WebAssembly");
  assert.deepEqual(only({ page: { compiles: false } }), ["error", "script-src", CSP, "script-src 'self' 'wasm-unsafe-eval'"]);
  const wasm = SITE + "/latchkey_sdk_bg.wasm";
  assert.deepEqual(only({ options: { wasm }, core: { ok: false } }), ["error", "wasm", "wasm", wasm]);
  assert.deepEqual(only({ options: { wasm }, core: { ok: true, type: "text/plain" } }), ["info", "wasm", "Content-Type", "application/wasm"]);
  assert.deepEqual(judge(facts({ options: { wasm }, core: { ok: true, type: "application/wasm" } })), []);
});

test("a page that is framed itself is told who else must be allowed", () => {
  const page = { isTop: false, ancestors: [SITE, "https://portal.example", "https://portal.example"] };
  assert.deepEqual(only({ page, options: { mode: "iframe" } }), ["error", "ancestors", "allowed origins", "https://portal.example"]);
});

test("whatever the platform answers, findings come of it", () => {
  const answer = fc.record({ code: fc.nat(599), body: fc.option(fc.object(), { nil: null }), clock: fc.double() });
  const words = fc.constantFrom("allowed", "error", "opener", "version", "now", "redirect_uri", "setup_url");
  const telling = fc.record({ code: fc.nat(599), clock: fc.nat(), body: fc.dictionary(words, fc.anything()) });
  fc.assert(
    fc.property(fc.oneof(answer, telling), fc.string({ unit: "binary" }), (status, text) => {
      const found = judge({ ...facts({ headers: { [CSP]: text } }), status });
      for (const { level, check, message, header, setting } of found) {
        assert.match(level, /^(error|warning|info)$/);
        assert.ok(check && message && (header ?? setting));
      }
    }),
  );
});

// Where it runs.

/** What a browser has, as far as the diagnosis asks. */
function browser(context, fetch) {
  const visit = SITE + "/cart?code=canary-code&state=canary-state#access_token=canary-token";
  const globals = {
    document: Object.assign(new EventTarget(), { querySelectorAll: () => [] }),
    location: new URL(visit),
    isSecureContext: true,
    navigator: { cookieEnabled: true },
    sessionStorage: new Map(),
    localStorage: new Map(),
    self: { origin: SITE },
    top: null,
    fetch,
  };
  globals.top = globals.self;
  for (const [name, value] of Object.entries(globals)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    context.after(() => (before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]));
  }
}

const OPTIONS = { platform: PLATFORM, clientId: "c1", version: 1, mode: "popup" };

test("on a server it says that it belongs on a page", async () => {
  const { ok, findings } = await diagnose(OPTIONS);
  assert.equal(ok, false);
  assert.match(findings[0].message, /runs in a browser/);
});

test("it ends when its time is over, whoever does not answer", async (context) => {
  browser(context, (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))));
  // What keeps a page alive: the signal's own timer keeps no process.
  const alive = setInterval(() => {}, 1000);
  context.after(() => clearInterval(alive));
  const { ok, findings } = await diagnose({ ...OPTIONS, timeoutMs: 50 });
  assert.equal(ok, false);
  assert.ok(findings.some(({ check, message }) => check == "network" && message.includes("did not answer in time")));
});

test("it asks for the page without the response in its address, by a method that changes nothing", async (context) => {
  const asked = [];
  browser(context, async (url, { method = "GET", credentials }) => {
    asked.push(`${method} ${url} ${credentials ?? ""}`);
    if (method == "HEAD") return new Response(null, { status: 405 });
    return Response.json({ allowed: true, version: 1, now: Date.now() / 1000, opener: "kept" });
  });
  const { ok, findings } = await diagnose({ ...OPTIONS, redirectUri: SITE + "/back" });
  assert.equal(ok, true);
  const page = SITE + "/cart";
  const status = `${PLATFORM}/toolbar/c1/status/?redirect_uri=https%3A%2F%2Fshop.example%2Fback`;
  assert.deepEqual(asked.sort(), [`GET ${page} `, `GET ${status} omit`, `HEAD ${page} `].sort());
  assert.ok(!JSON.stringify([asked, findings]).includes("canary"));
});

test("what init refuses is told by the name of the option, with what it takes", async (context) => {
  browser(context, () => Response.json({ allowed: true, version: 1, now: Date.now() / 1000 }));
  for (const [option, wrong] of [
    ["mode", "frame"],
    ["tokens", "both"],
    ["scopes", "org:read"],
    ["responseType", "id_token"],
    ["headless", 1],
    ["clientID", "c1"],
    ["timeoutMs", -1],
  ]) {
    const { ok, findings } = await diagnose({ ...OPTIONS, [option]: wrong });
    assert.equal(ok, false);
    assert.deepEqual(findings.map(({ check, setting }) => [check, setting]), [["options", option]]);
    assert.match(findings[0].message, /: (give|there is) .*\.$/);
  }
});

test("it never rejects, whatever it is given and whatever breaks", async (context) => {
  browser(context, () => {
    throw new Error("no network");
  });
  const hostile = fc.dictionary(fc.constantFrom("platform", "clientId", "mode", "redirectUri", "wasm", "version", "timeoutMs"), fc.anything());
  await fc.assert(
    fc.asyncProperty(fc.oneof(hostile, fc.anything()), async (options) => {
      const { ok, findings } = await diagnose(options);
      assert.equal(ok, findings.every(({ level }) => level != "error"));
    }),
  );
});
