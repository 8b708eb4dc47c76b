// The script of the callback pages: to whom it hands a response.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";

const SCRIPT = readFileSync(new URL("../../iframe/callback.js", import.meta.url), "utf8");
const PLATFORM = "https://platform.example";
const RESPONSE = `access_token=t&state=s&client_id=c1&origin=${encodeURIComponent("https://shop.example")}&handle=h`;

/** A window that notes what it is told, at an address that may be read only from its own origin. */
function target(path) {
  const told = [];
  const postMessage = (data, origin) => told.push([data.response, origin]);
  const location = path
    ? { origin: PLATFORM, pathname: path }
    : {
        get origin() {
          throw new Error("another origin's");
        },
      };
  return { told, postMessage, location };
}

/** The page's script, where the opener has these frames; returns what it shows and whether it is closed. */
function arrive(tokens, opener) {
  const listeners = {};
  const status = {};
  const shown = { status, isClosed: false, hear: (event) => listeners.message?.(event) };
  const document = { documentElement: { dataset: { clientId: "c1", tokens } }, getElementById: () => status };
  const location = { origin: PLATFORM, pathname: "/toolbar/c1/callback/", hash: "#" + RESPONSE, search: "" };
  const addEventListener = (type, listener) => (listeners[type] = listener);
  const close = () => (shown.isClosed = true);
  const context = { document, location, opener, addEventListener, close, history: { replaceState() {} }, setTimeout() {}, URLSearchParams };
  runInContext(SCRIPT, createContext(context));
  listeners.DOMContentLoaded();
  return shown;
}

/** A page of another origin with these frames. */
const page = (...frames) => {
  const iterator = {
    get() {
      throw new Error("another origin's");
    },
  };
  return Object.defineProperty(Object.assign(target(), { length: frames.length }, frames), Symbol.iterator, iterator);
};

test("every frame of the application gets the response, and whichever takes it is believed", () => {
  for (const tokens of ["page", "frame"]) {
    const [first, second, foreign, other] = [target("/toolbar/c1/"), target("/toolbar/c1/"), target(), target("/toolbar/c2/")];
    const opener = page(foreign, first, other, second);
    const shown = arrive(tokens, opener);
    for (const frame of [first, second]) assert.deepEqual(frame.told, [[RESPONSE, PLATFORM]]);
    for (const one of [opener, foreign, other]) assert.deepEqual(one.told, []);
    const received = { origin: PLATFORM, data: { type: "latchkey.received", version: 1 } };
    for (const source of [opener, foreign, other]) shown.hear({ ...received, source });
    assert.ok(!shown.isClosed);
    shown.hear({ ...received, source: second });
    assert.ok(shown.isClosed);
  }
});

test("without a frame the response is the page's, and never where a frame is to keep the token", () => {
  const opener = page(target());
  arrive("page", opener);
  assert.deepEqual(opener.told, [[RESPONSE.replace("&handle=h", ""), "https://shop.example"]]);
  const other = page(target());
  const shown = arrive("frame", other);
  assert.deepEqual(other.told, []);
  assert.match(shown.status.textContent, /could not be reached/);
});

test("a frame that opened the window is told itself", () => {
  const opener = Object.assign(target("/toolbar/c1/"), { length: 0 });
  arrive("frame", opener);
  assert.deepEqual(opener.told, [[RESPONSE, PLATFORM]]);
});
