// What comes out of windows and ports is whatever somebody put in: nothing that is not a message is taken for one.
import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { isWindowMessage, readMessage, readSession } from "../../sdk/messages.js";

const session = {
  organization: { id: "o", slug: "acme", name: "Acme" },
  user: { id: "u", name: "Ada" },
  scopes: ["org:read"],
  expires_at: 4e12,
};

/** One whole message of each type. */
const MESSAGES = [
  { type: "welcome", version: 1 },
  { type: "prepared", state: "s", nonce: "n", code_challenge: "" },
  { type: "signing_in", state: "s" },
  { type: "answered", state: "s" },
  { type: "signed_in", state: "s", access_token: "t", session },
  { type: "renewed", access_token: null, session },
  { type: "failed", state: null, code: "access_denied", description: null },
  { type: "ended", code: null },
  { type: "sign_out" },
  { type: "resize", width: 1, height: 2 },
  { type: "head", id: 1, status: 200, headers: [["a", "b"]] },
  { type: "chunk", id: 1, data: new Uint8Array(2) },
  { type: "end", id: 1 },
  { type: "broken", id: 1, code: "aborted", description: null },
  { type: "place", corner: "top-left" },
  { type: "move", dx: -1.5, dy: 2 },
  { type: "drop" },
];

const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withTypedArray: true });

test("every whole message is read as it is", () => {
  for (const message of MESSAGES) assert.equal(readMessage(message), message);
});

test("anything at all is no message, and breaks nothing", () => {
  fc.assert(
    fc.property(anything, (data) => {
      const read = readMessage(data);
      assert.ok(read === undefined || MESSAGES.some(({ type }) => type === data.type));
      assert.equal(isWindowMessage(data, "response"), false);
      readSession(data, 1);
    }),
    { numRuns: 2000 },
  );
});

test("a message with one part replaced by anything is read only if that part may be so", () => {
  const types = { version: "n", state: "s", width: "n", height: "n", id: "n", status: "n", dx: "d", dy: "d", corner: "t", nonce: "t", code_challenge: "t" };
  fc.assert(
    fc.property(fc.constantFrom(...MESSAGES), anything, fc.nat(), (message, value, which) => {
      const names = Object.keys(message).filter((name) => name in types);
      if (!names.length) return;
      const name = names[which % names.length];
      const read = readMessage({ ...message, [name]: value });
      const isOptional = message.type == "failed" && name == "state" && value == null;
      const fits = isOptional || {
        n: Number.isInteger(value) && value >= 0 && value < 2 ** 32 && !Object.is(value, undefined),
        d: Number.isFinite(value),
        s: typeof value == "string" && value !== "",
        t: typeof value == "string",
      }[types[name]];
      assert.equal(read !== undefined, fits, name);
    }),
    { numRuns: 3000 },
  );
});

test("a session with any part replaced is none", () => {
  fc.assert(
    fc.property(anything, fc.constantFrom("organization", "user", "scopes"), (value, name) => {
      const fits = name == "scopes" && Array.isArray(value) && value.every((it) => typeof it == "string");
      assert.equal(readSession({ ...session, [name]: value }, 1) !== undefined, fits);
    }),
    { numRuns: 2000 },
  );
});
