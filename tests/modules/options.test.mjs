// The options that the tests in a browser say nothing of: see sdk/tests/edge.rs for the others.
import assert from "node:assert/strict";
import { test } from "node:test";

import { check, checkLogin } from "../../sdk/options.js";

globalThis.location = { origin: "https://shop.example", pathname: "/cart" };
globalThis.document = {};
globalThis.Element = class {
  constructor(root) {
    this.root = root;
  }
  getRootNode() {
    return this.root;
  }
};

const GIVEN = { clientId: "c1", platform: "https://p.example" };

test("a redirect URI is an address of this very site, and what comes behind # is no part of one", () => {
  assert.equal(check(GIVEN).redirectUri, "https://shop.example/cart");
  for (const redirectUri of ["https://shop.example/", "https://shop.example/back?a=1"]) {
    assert.equal(check({ ...GIVEN, redirectUri }).redirectUri, redirectUri);
  }
  for (const redirectUri of [
    "https://shop.example",
    "https://shop.example.evil.example/",
    "https://shop.example@evil.example/",
    "https://shop.example:8443/",
    "http://shop.example/",
    "https://shop.example/#part",
    "https://shop.example/#",
  ]) {
    assert.throws(() => check({ ...GIVEN, redirectUri }), { code: "invalid_options", message: /^redirectUri: / }, redirectUri);
  }
});

test("a container stands on the page, where its frames are counted", () => {
  const container = new Element(document);
  assert.equal(check({ ...GIVEN, container }).container, container);
  for (const root of [{}, container, undefined]) {
    assert.throws(() => check({ ...GIVEN, container: new Element(root) }), { message: /^container: / });
  }
});

test("a sign-in asks for the scopes of init where it names none, and for none where it names an empty list", () => {
  const options = check({ ...GIVEN, scopes: ["org:read", "event:read"] });
  for (const given of [undefined, null, {}, { scopes: null }, { scopes: undefined }]) {
    assert.deepEqual(checkLogin(given, options), { signal: undefined, scope: "org:read event:read", prompt: "", limit: 300_000 });
  }
  assert.equal(checkLogin({ scopes: [] }, options).scope, "");
  assert.equal(checkLogin({ scopes: ["org:read"] }, options).scope, "org:read");
});
