// An authorization response is somebody else's until every part says that it is ours.
import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { accept, readToken } from "../../sdk/response.js";

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
