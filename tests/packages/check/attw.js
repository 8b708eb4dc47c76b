// The types are found, and are those of the code that is found, by every resolver that knows ES modules.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const there = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const attw = there("node_modules/@arethetypeswrong/cli/dist/index.js");
// The WebAssembly is for a bundler that is told of it; each has types of its own for such an import.
const args = ["--profile", "esm-only", "--exclude-entrypoints", "latchkey_sdk_bg.wasm", "--format", "ascii"];
const { status } = spawnSync(process.execPath, [attw, there("node_modules/@latchkey/sdk.tgz"), "--no-color", ...args], { stdio: "inherit" });
process.exitCode = status ?? 1;
