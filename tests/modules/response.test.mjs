// An authorization response is somebody else's until every part says that it is ours.
import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { accept, pendingKey, readToken, takeResponse } from "../../sdk/response.js";

const OPTIONS = { platform: "https://p.example", clientId: "c1", responseType: "token" };
const ORIGIN = "https://shop.example";
const PARTS = {
  access_token: "lkat_1",
  token_type: "Bearer",
  expires_in: "3600",
  state: "s1",
  iss: OPTIONS.platform,
  client_id: OPTIONS.clientId,
  origin: ORIGIN,
};
const written = (parts) => String(new URLSearchParams(parts));

test("the answer to the request that is out is accepted, in any order and with more beside it", () => {
  const more = fc.dictionary(fc.string().filter((name) => !(name in { ...PARTS, error: 1, code: 1 })), fc.string());
  fc.assert(
    fc.property(fc.shuffledSubarray(Object.entries(PARTS), { minLength: Object.keys(PARTS).length }), more, (parts, more) => {
      const response = written([...parts, ...Object.entries(more)]);
      assert.deepEqual(accept(response, OPTIONS, "s1", ORIGIN), { token: "lkat_1", expiresIn: 3600, refresh: undefined });
    }),
  );
});

test("with any part another, missing or twice it is not", () => {
  const names = fc.constantFrom(...Object.keys(PARTS));
  fc.assert(
    fc.property(names, fc.string(), (name, value) => {
      const isSame = value === PARTS[name] || (name == "token_type" && /^bearer$/i.test(value));
      fc.pre(!isSame && !(name == "access_token" && value) && !(name == "expires_in" && /^\d+$/.test(value)));
      assert.ok(!accept(written({ ...PARTS, [name]: value }), OPTIONS, "s1", ORIGIN), name);
    }),
    { numRuns: 2000 },
  );
  for (const name of Object.keys(PARTS)) {
    const { [name]: _, ...others } = PARTS;
    assert.ok(!accept(written(others), OPTIONS, "s1", ORIGIN), name);
    assert.ok(!accept(`${written(PARTS)}&${name}=${PARTS[name]}`, OPTIONS, "s1", ORIGIN), name);
  }
});

test("any text at all is no answer, and breaks nothing", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.webQueryParameters()), (text) => {
      assert.ok(!accept(text, OPTIONS, "s1", ORIGIN));
    }),
    { numRuns: 2000 },
  );
});

test("a token endpoint's answer is read if it can be used", () => {
  const body = { access_token: "t", token_type: "bearer", expires_in: 60, refresh_token: "r" };
  assert.deepEqual(readToken(body), { token: "t", expiresIn: 60, refresh: "r" });
  for (const [name, value] of [["access_token", ""], ["access_token", 7], ["token_type", "mac"], ["expires_in", -1], ["expires_in", "1e3"], ["expires_in", null]]) {
    assert.equal(readToken({ ...body, [name]: value }), undefined, `${name}: ${value}`);
  }
  assert.equal(readToken(undefined), undefined);
});

test("a parameter may bear any name, and stands once", () => {
  for (const name of ["__proto__", "constructor", "toString", "x"]) {
    assert.ok(accept(`${written(PARTS)}&${name}=1`, OPTIONS, "s1", ORIGIN), name);
    assert.equal(accept(`${written(PARTS)}&${name}=1&${name}=1`, OPTIONS, "s1", ORIGIN), undefined, name);
  }
});

test("a lifetime that no calendar has is none", () => {
  assert.ok(readToken({ ...PARTS, expires_in: "999999999" }));
  for (const expires_in of ["1234567890", "", "1e3", "-1", "+1", " 1", "1.5", null]) {
    assert.equal(readToken({ ...PARTS, expires_in }), undefined, expires_in);
  }
});

/** Takes the response out of a page's address: what was taken, and the address and the history's state afterwards. */
function take(address, clientId, pending) {
  const [, pathname, search, hash] = /^([^?#]*)(\?[^#]*)?(#.*)?$/.exec(address);
  const after = { address, kept: "state of the page" };
  globalThis.location = { pathname, search: search ?? "", hash: hash ?? "" };
  globalThis.sessionStorage = { getItem: (key) => (key == pendingKey(clientId) ? pending : null) };
  globalThis.history = {
    state: after.kept,
    replaceState: (state, title, url) => Object.assign(after, { address: url, kept: state }),
  };
  return [takeResponse(clientId), after.address, after.kept];
}

const TOKEN = "access_token=t&state=s1&iss=i&client_id=c1&expires_in=1";

test("a response to this application leaves the address, and the rest of it stays", () => {
  const taken = { state: "s1", isPending: false };
  for (const [address, response, rest] of [
    [`/back#${TOKEN}`, TOKEN, "/back"],
    [`/back?a=1#${TOKEN}`, TOKEN, "/back?a=1"],
    [`/back?a=%20&${TOKEN}&b#part`, `a=%20&${TOKEN}&b`, "/back?a=%20&b#part"],
    [`/back#${TOKEN}&mine=1`, `${TOKEN}&mine=1`, "/back#mine=1"],
    ["/?code=c&state=s1&client_id=c1", "code=c&state=s1&client_id=c1", "/"],
    ["/?error=e&state=s1&client_id=c1", "error=e&state=s1&client_id=c1", "/"],
  ]) {
    assert.deepEqual(take(address, "c1", ""), [{ ...taken, response }, rest, "state of the page"], address);
  }
  // What this tab waits for need not name the application.
  const pending = "https://p.example s1 https://shop.example/back v";
  const [response] = take("/back#access_token=t&state=s1", "c1", pending);
  assert.deepEqual(response, { response: "access_token=t&state=s1", state: "s1", isPending: true });
});

test("what is no response, or another application's, stays where it is", () => {
  for (const [address, clientId, pending] of [
    ["/back", "c1", ""],
    ["/back?state=s1&client_id=c1", "c1", ""],
    ["/back?code=c&client_id=c1", "c1", ""],
    ["/back?code=c&state=&client_id=c1", "c1", ""],
    [`/back#${TOKEN}`, "c2", ""],
    ["/back#access_token=t&state=s2", "c1", "https://p.example s1 u v"],
    ["/back#access_token=t&state=s1", "", ""],
    ["/back?error=e&state=s1&client_id=", "", ""],
    ["/back?code=c", "c1", "https://p.example "],
  ]) {
    assert.deepEqual(take(address, clientId, pending), [undefined, address, "state of the page"], address);
  }
});
