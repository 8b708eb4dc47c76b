// The calls that the frame makes with a token which the page never sees: none leads anywhere but below the API, none
// brings what is not the page's to say, and every one is answered, in whatever order things come.
import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { Calls, FORBIDDEN, isHeader, isMethod, requested, resolve, shown } from "../../iframe/calls.js";

const MAX = 8 * 1024;
const acme = (path) => resolve(path, "acme");

test("a path stands below the token's organization, or below the API", () => {
  for (const [path, resolved] of [
    ["projects/", "/api/0/organizations/acme/projects/"],
    ["", "/api/0/organizations/acme/"],
    ["issues/?page=%2Fa%2Fb&cursor=../..//", "/api/0/organizations/acme/issues/?page=%2Fa%2Fb&cursor=../..//"],
    ["/api/0/", "/api/0/"],
    ["/api/0/organizations/acme/members/?limit=1", "/api/0/organizations/acme/members/?limit=1"],
    ["files/a..c/...", "/api/0/organizations/acme/files/a..c/..."],
    ["a/b:c", "/api/0/organizations/acme/a/b:c"],
    ["100%", "/api/0/organizations/acme/100%"],
    // An encoded space is a space to whoever decodes it.
    ["files/a%20b", undefined],
  ]) {
    assert.equal(acme(path), resolved, path);
  }
});

const ELSEWHERE = [
  "/", "/api", "/api/", "/api/0", "/api/00/", "/api/1/", "/API/0/", "/login/", "/oauth/token/", "/toolbar/c1/session/",
  "//evil.example/api/0/", "/api/0//evil.example/", "https://evil.example/api/0/", "https:/api/0/", "javascript:alert(1)",
  "blob:x", "..", ".", "./projects/", "../globex/projects/", "projects/../../globex/", "projects/..",
  "/api/0/../../login/", "/api/0/./", "/api/0/%2e%2e/%2e%2e/login/", "/api/0/.%2E/", "/api/0/%252e%252e/",
  "/api/0/%25252e%25252e/", "/api/0/..%2f..%2flogin/", "/api/0/%2flogin", "/api/0/%255clogin", "/api/0/a%5c..%5cb",
  "\\\\evil.example", "/api/0\\..\\login", "/api/0/a\\b", " /login/", "pro jects/", "projects/\n", "projects/\t",
  "projects/%0a", "projects/%00", "projects/\0", "projects/#x", "/api/0/#/login/", "projects/\n?x", "projects/?x\n",
  "prôjects/", "／／evil.example", "/api/0/．．/", "projects/\u2028", "projects/?\u2028",
];

test("no path leads elsewhere", () => {
  for (const path of ELSEWHERE) assert.equal(acme(path), undefined, JSON.stringify(path));
  assert.equal(acme("a".repeat(MAX + 1)), undefined);
});

test("a method is one of a closed list, to the letter", () => {
  for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]) assert.ok(isMethod(method));
  for (const method of ["", "get", "GET ", "CONNECT", "TRACE", "TRACK", "OPTIONS", "PROPFIND", "GET\r\nHost: x"]) {
    assert.ok(!isMethod(method), JSON.stringify(method));
  }
});

test("no header is a credential, a browser's or a proxy's", () => {
  for (const name of ["accept", "Content-Type", "if-none-match", "x-request-id", "idempotency-key", "range"]) {
    assert.ok(isHeader(name, "x y\tz; q=0.5, é"), name);
  }
  const others = ["Authorization", "COOKIE", "Sec-Fetch-Site", "sec-x", "Proxy-Authorization", "X-Forwarded-For"];
  for (const name of [...FORBIDDEN, ...others, "access-control-request-method", "Proxy-x"]) assert.ok(!isHeader(name, "x"), name);
  // The last one is a Kelvin sign: in lower case it is a letter.
  for (const name of ["", " ", "a b", "a:", "a\r\nb", "a\n", "é", "authorization ", "cookie\0", "a".repeat(65), "coo\u212aie"]) {
    assert.ok(!isHeader(name, "x"), JSON.stringify(name));
  }
  for (const value of ["a\r\nb: c", "a\nb", "a\n", "\0", "\x7f", "a".repeat(MAX + 1)]) assert.ok(!isHeader("accept", value), JSON.stringify(value));
});

test("what was said of an encoded body is not said of the decoded one", () => {
  const all = [["content-length", "1"], ["content-type", "x"]];
  assert.deepEqual(shown(all), all);
  assert.deepEqual(shown([...all, ["content-encoding", "br"]]), [["content-type", "x"]]);
});

const PIECES = ["/", "\\", ".", "..", "%2e", "%2E", "%252e", "%2f", "%5c", "%25", "2e", "api", "0", "/api/0/", "a", "?", "#", ":", "//", "%", " ", "\n", "@", "http:", "login"];

/** Whatever a server or a proxy makes of a path, after any number of decodings, it stays below the prefix. */
function stays(resolved) {
  for (let place = resolved.split("?")[0]; ; ) {
    if (!place.startsWith("/api/0/")) return false;
    let depth = 0;
    for (const segment of place.slice("/api/0/".length).split(/[/\\]/)) {
      depth += segment == ".." ? -1 : 1;
      if (depth < 0) return false;
    }
    const decoded = place.replace(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(parseInt(code.slice(1), 16)));
    if (decoded == place) return true;
    place = decoded;
  }
}

test("whatever is let through stays below the prefix, as a browser reads it too", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }), (pieces) => {
      const resolved = resolve(pieces.join(""), "acme");
      if (resolved === undefined) return;
      assert.ok(stays(resolved), resolved);
      assert.ok(!/\/\/|\\/.test(resolved.split("?")[0]), resolved);
      const { href } = new URL(resolved, "https://p.example");
      assert.ok(href.startsWith("https://p.example/api/0/"), href);
    }),
    { numRuns: 20_000 },
  );
});

test("any text is resolved or refused, and breaks nothing", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (path, name) => {
      const resolved = resolve(path, "acme");
      assert.ok(resolved === undefined || stays(resolved));
      isMethod(name);
      isHeader(name, path);
    }),
    { numRuns: 5000 },
  );
});

const asked = { type: "fetch", id: 1, method: "GET", path: "projects/", headers: [["accept", "a/b"]], body: null };
const account = { token: "t", organization: "acme" };

test("a request brings the token, no cookie, and nothing else that the page did not say", () => {
  const { url, init } = requested(asked, account);
  const { headers, credentials, method, body, redirect } = init;
  assert.equal(redirect, "manual");
  assert.equal(url, "/api/0/organizations/acme/projects/");
  assert.deepEqual([[...headers], credentials, method, body], [[["accept", "a/b"], ["authorization", "Bearer t"]], "omit", "GET", null]);
  assert.ok(requested({ ...asked, method: "PUT", body: new Blob(["x"]) }, account).url);
});

test("what the frame does not send is named", () => {
  for (const [wrong, named] of [
    [{ method: "get" }, 'method "get". Give one of GET,'],
    [{ path: "/login/" }, 'path "/login/". Give one below /api/0/'],
    [{ headers: [["accept", "a/b"], ["cookie", "a"]] }, 'header "cookie". Leave out'],
    [{ headers: [["accept", "\u2028"]] }, 'header "accept". Leave out'],
    [{ body: new Blob(["x"]) }, 'body with "GET". Leave it out.'],
  ]) {
    const said = requested({ ...asked, ...wrong }, account);
    assert.ok(String(said).includes(`the frame sends no ${named}`), said);
  }
});

globalThis.location = { origin: "https://p.example" };
const URL_OF = "https://p.example/api/0/organizations/acme/projects/";

/** Calls, with a fetch that answers when it is told to. */
function start(t, who = account) {
  const posted = [];
  const refused = [];
  const fetched = [];
  t.mock.method(globalThis, "fetch", (url, init) => new Promise((resolve, reject) => {
    init.signal.addEventListener("abort", () => reject(init.signal.reason));
    fetched.push({ url, init, answer: (response, at = URL_OF) => resolve(Object.defineProperty(response, "url", { value: at })), reject });
  }));
  return { posted, refused, fetched, calls: new Calls((message) => posted.push(message), () => who, (token) => refused.push(token)) };
}
const settle = () => new Promise((done) => setImmediate(() => setImmediate(done)));

test("an answer comes as a head and then in pieces, one for each that is asked for", async (t) => {
  const { calls, posted, fetched } = start(t);
  calls.hear(asked);
  calls.hear(asked);
  assert.equal(fetched.length, 1, "an id is used once");
  fetched[0].answer(new Response("hi", { status: 201, headers: { etag: "e" } }));
  await settle();
  assert.deepEqual(posted.map(({ type, status }) => [type, status]), [["head", 201]]);
  calls.hear({ type: "pull", id: 1 });
  calls.hear({ type: "pull", id: 1 });
  await settle();
  assert.equal(posted.length, 2);
  assert.equal(new TextDecoder().decode(posted[1].data), "hi");
  calls.hear({ type: "pull", id: 1 });
  await settle();
  assert.deepEqual(posted[2], { type: "end", id: 1 });
  calls.hear({ type: "pull", id: 1 });
  await settle();
  assert.equal(posted.length, 3);
});

test("an answer without a body is over at once, and a token that is refused is told", async (t) => {
  const { calls, posted, fetched, refused } = start(t);
  calls.hear(asked);
  fetched[0].answer(new Response(null, { status: 401 }));
  await settle();
  assert.deepEqual(posted.map(({ type }) => type), ["head", "end"]);
  assert.deepEqual(refused, ["t"]);
});

test("what the platform says of a token that it refuses is read after the session has ended", async (t) => {
  const { calls, posted, fetched, refused } = start(t);
  calls.hear(asked);
  calls.hear({ ...asked, id: 2 });
  fetched[0].answer(new Response('{"error":"session_expired"}', { status: 401 }));
  await settle();
  assert.deepEqual(refused, ["t"]);
  calls.end("aborted");
  assert.deepEqual(posted.map(({ type, id }) => [type, id]), [["head", 1], ["broken", 2]]);
  calls.hear({ type: "pull", id: 1 });
  await settle();
  assert.equal(new TextDecoder().decode(posted[2].data), '{"error":"session_expired"}');
  calls.hear({ type: "pull", id: 1 });
  await settle();
  assert.deepEqual(posted[3], { type: "end", id: 1 });
  // Another page gets nothing of it.
  calls.hear({ ...asked, id: 3 });
  fetched[2].answer(new Response("x", { status: 401 }));
  await settle();
  calls.end();
  calls.hear({ type: "pull", id: 3 });
  await settle();
  assert.deepEqual(posted.slice(4).map(({ type }) => type), ["head"]);
});

test("an answer from elsewhere is none", async (t) => {
  const { calls, posted, fetched } = start(t);
  for (const [id, at] of ["https://evil.example/api/0/", "https://p.example/login/", "https://p.example.evil.example/api/0/", ""].entries()) {
    calls.hear({ ...asked, id });
    fetched[id].answer(new Response("x"), at);
    await settle();
    assert.deepEqual(posted[id], { type: "broken", id, code: "network_error", description: null }, at);
  }
});

test("a redirect is not followed, and the page is told so", async (t) => {
  const { calls, posted, fetched } = start(t);
  calls.hear(asked);
  assert.equal(fetched[0].init.redirect, "manual");
  fetched[0].answer(Object.defineProperty(new Response(null), "type", { value: "opaqueredirect" }));
  await settle();
  assert.deepEqual(posted.map(({ type, code }) => [type, code]), [["broken", "network_error"]]);
  assert.match(posted[0].description, /redirect/);
});

test("without a token, with a wrong path, or without an answer a call is refused with the reason", async (t) => {
  const none = start(t, null);
  none.calls.hear(asked);
  assert.deepEqual(none.posted, [{ type: "broken", id: 1, code: "login_required", description: null }]);
  const { calls, posted, fetched } = start(t);
  calls.hear({ ...asked, path: "/login/" });
  calls.hear({ ...asked, id: 2 });
  fetched[0].reject(new TypeError("x"));
  await settle();
  assert.deepEqual(posted.map(({ id, code }) => [id, code]), [[1, "invalid_options"], [2, "network_error"]]);
});

test("what is cancelled is aborted in silence, and whatever is under way at the end is told so", async (t) => {
  const { calls, posted, fetched } = start(t);
  calls.hear(asked);
  calls.hear({ ...asked, id: 2 });
  calls.hear({ type: "cancel", id: 1 });
  assert.ok(fetched[0].init.signal.aborted);
  calls.end("aborted");
  await settle();
  assert.deepEqual(posted, [{ type: "broken", id: 2, code: "aborted", description: null }]);
  assert.ok(fetched[1].init.signal.aborted);
});

test("of more calls than may be open the oldest that nobody reads makes room, and none that is waited for", async (t) => {
  const { calls, posted, fetched } = start(t);
  for (let id = 1; id <= 64; id += 1) calls.hear({ ...asked, id });
  calls.hear({ ...asked, id: 65 });
  const full = posted.pop();
  assert.deepEqual([full.id, full.code], [65, "invalid_options"]);
  assert.match(full.description, /64 calls are open/);
  fetched[4].answer(new Response("x"));
  fetched[2].answer(new Response("x"));
  await settle();
  calls.hear({ ...asked, id: 66 });
  const [gone, ...others] = posted.filter(({ type }) => type == "broken");
  assert.deepEqual([gone.id, gone.code, others], [3, "network_error", []]);
  assert.match(gone.description, /made room/);
  assert.equal(fetched.length, 65);
});

test("anything at all on the port is a call or nothing", (t) => {
  const { calls, fetched } = start(t);
  fc.assert(fc.property(fc.anything({ withNullPrototype: true, withTypedArray: true }), (data) => calls.hear(data)), { numRuns: 2000 });
  assert.equal(fetched.length, 0);
});
