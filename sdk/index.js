// The JavaScript face of the SDK. Importing it does nothing, in a browser and on a server alike: everything begins
// with init(). The core behind it is WebAssembly, loaded once.
import load from "./latchkey_sdk.js";
import { Client, diagnose } from "./client.js";
import { LatchkeyError, invalid, text } from "./errors.js";
import { VERSION, isWindowMessage } from "./messages.js";
import { check, timeoutOf } from "./options.js";
import { pendingKey, takeResponse } from "./response.js";

export { LatchkeyError, diagnose };

/** Clients that are loading or alive, by platform and client id. */
const clients = new Map();

/** The strip that says why there is no toolbar. */
let strip;

export function init(given) {
  if (typeof document == "undefined") {
    return Promise.reject(invalid("init() runs in a browser: call it on the page."));
  }
  given = Object(given);
  const clientId = text(given.clientId ?? given.client_id);
  const key = text(given.platform).replace(/\/$/, "") + " " + clientId;
  if (!clients.has(key)) {
    // Before anything else is loaded: what the page requests from here on must not carry the response along.
    const taken = takeResponse(clientId);
    strip?.remove();
    // Another client may have come in the place of one that was destroyed before.
    const started = start(given, taken, () => clients.get(key) == started && clients.delete(key));
    clients.set(key, started);
    started.catch((error) => {
      clients.delete(key);
      // Without its module there is no strip, and the error says the same.
      explain(error, given).catch(() => {});
    });
  }
  return clients.get(key);
}

async function start(given, taken, left) {
  const options = check(given);
  const deadline = Date.now() + timeoutOf(given.timeoutMs, 10_000);
  // In a window of another page of this site, the response is that page's.
  if (taken && !taken.isPending && (await handOver(taken, options.clientId))) taken = undefined;
  await loaded(given.wasm, deadline - Date.now());
  return Client.start(options, deadline - Date.now(), taken?.response, left);
}

/** Gives a response to the page of this site that waits for it, and closes the window. False where none does. */
function handOver({ response, state }, clientId) {
  const channel = new BroadcastChannel(pendingKey(clientId));
  return new Promise((resolve) => {
    const done = (isTaken) => {
      channel.close();
      clearTimeout(timer);
      resolve(isTaken);
      if (isTaken) close();
    };
    const timer = setTimeout(done, 1_000, false);
    channel.onmessage = ({ data }) => isWindowMessage(data, "received") && data.state === state && done(true);
    channel.postMessage({ type: "latchkey.response", version: VERSION, state, response });
  });
}

/** The core's code, within the time: a promise that rejects with what stands in its way. */
async function loaded(wasm, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(reject, ms, new LatchkeyError("timeout", "latchkey_sdk_bg.wasm did not load in time."));
  });
  try {
    await Promise.race([load(wasm), late]);
  } catch (error) {
    throw error instanceof LatchkeyError ? error : notLoaded();
  } finally {
    clearTimeout(timer);
  }
}

/** Why the core could not be loaded: the page's policy refuses all WebAssembly, or only this file is missing. */
function notLoaded() {
  try {
    // Some browsers refuse the module, and some only to make anything of it.
    new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)));
  } catch {
    return new LatchkeyError("wasm_blocked");
  }
  const hint =
    "latchkey_sdk_bg.wasm could not be loaded. Serve it beside index.js or give its address as wasm, and allow it in connect-src of this site's Content-Security-Policy.";
  return new LatchkeyError("network_error", hint, hint);
}

/** Says in words, on the page, why there is no toolbar. */
async function explain(error, { mode, container, headless }) {
  if (headless || /popup|redirect/.test(mode) || /options|aborted/.test(error.code)) return;
  const { show } = await import("./notice.js");
  strip = show(error, container);
}
