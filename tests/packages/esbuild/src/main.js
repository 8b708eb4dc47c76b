import * as sdk from "@latchkey/sdk";
// esbuild does not follow `new URL("…", import.meta.url)`: it is told of the file, and puts its address here.
import wasm from "@latchkey/sdk/latchkey_sdk_bg.wasm";
import { show } from "../../projects.js";

const settings = await (await fetch("/config.json")).json();
await show(sdk, { ...settings, wasm: new URL(wasm, import.meta.url) });
