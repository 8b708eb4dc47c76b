// A request for the next click: nobody guesses it, and nothing in it is read as something else.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { authorizeUrl, prepare, toolbar } from "../../sdk/request.js";

test("every part of a request is 256 bits of chance, in letters that stand in an address as they are", async () => {
  const [first, second] = [await prepare("code"), await prepare("code")];
  const parts = [first, second].flatMap(({ state, nonce, verifier }) => [state, nonce, verifier]);
  for (const part of parts) assert.match(part, /^[\w-]{43}$/);
  assert.equal(new Set(parts).size, 6);
});

test("the challenge is the S256 of the verifier, and there is none where no code is asked for", async () => {
  const { verifier, code_challenge } = await prepare("code");
  assert.equal(code_challenge, createHash("sha256").update(verifier).digest("base64url"));
  const request = await prepare("token");
  assert.deepEqual(Object.keys(request), ["state", "nonce"]);
  const options = { platform: "https://p.example", clientId: "c1", responseType: "token", origin: "https://shop.example" };
  assert.doesNotMatch(authorizeUrl(options, { ...request, code_challenge }, {}, "https://shop.example/", false), /challenge/);
});

test("whatever the client id is, an address of the application's is below its own path", () => {
  const at = (clientId) => toolbar({ platform: "https://p.example", clientId }, "status/");
  assert.equal(at("c1"), "https://p.example/toolbar/c1/status/");
  for (const clientId of ["../login", "a/b", "?", "#", "a\\b", "%2e%2e"]) {
    const { pathname, search, hash } = new URL(at(clientId));
    assert.match(pathname, /^\/toolbar\/[^/]+\/status\/$/, clientId);
    assert.equal(search + hash, "", clientId);
  }
});
