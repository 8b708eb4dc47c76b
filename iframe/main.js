import load, { start } from "./latchkey_iframe.js";

// The page that frames this one greets it at its load event, which does not wait for the wasm: what comes before the
// wasm listens is kept, and given to it in order.
const early = [];
const keep = (event) => early.push(event);
addEventListener("message", keep);
await load();
removeEventListener("message", keep);
start(early);
