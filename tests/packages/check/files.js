// What `npm pack` put into the package: these files, and every file that another one of them loads.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";

const folder = new URL("../node_modules/@latchkey/sdk/", import.meta.url);
const files = (await readdir(folder)).sort();
assert.deepEqual(files, [
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "diagnose.js",
  "index.d.ts",
  "index.js",
  "latchkey_sdk_bg.wasm",
  "notice.js",
  "package.json",
  "relay.js",
]);

const LOADS = /import\("([^"]+)"\)|from ?"([^"]+)"|new URL\("([^"]+)", ?import\.meta\.url\)/g;
for (const file of files.filter((file) => file.endsWith(".js"))) {
  const text = await readFile(new URL(file, folder), "utf8");
  for (const [, ...names] of text.matchAll(LOADS)) {
    const name = names.find(Boolean).replace("./", "");
    assert(files.includes(name), `${file} loads ${name}, which is not in the package`);
  }
}
