// A message to a window names the one origin that it is for (SECURITY 41).
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const ANY = /(postMessage|post_message)\w*\([^;]*["'`]\*["'`]|targetOrigin:\s*["'`]\*/;

test("no message is for whichever window it reaches", () => {
  let read = 0;
  for (const folder of ["sdk", "sdk/src", "iframe", "iframe/src", "server/assets", "www"]) {
    const files = readdirSync(`../../${folder}`).filter((name) => /\.(js|rs|html)$/.test(name));
    for (const name of files) {
      assert.doesNotMatch(readFileSync(`../../${folder}/${name}`, "utf8"), ANY, `${folder}/${name}`);
      read += 1;
    }
  }
  assert.ok(read > 30, `${read} files`);
  for (const wrong of ['w.postMessage(m, "*")', "w.postMessage({ a: 1 },\n '*', [port])", 'post_message(&m, "*")', "{ targetOrigin: '*' }"]) {
    assert.match(wrong, ANY);
  }
});
