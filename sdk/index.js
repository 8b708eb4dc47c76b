// The JavaScript face of the SDK. Importing it does nothing, in a browser and on a server alike: everything begins
// with init(). The core behind it is WebAssembly, loaded once.
import load from "./latchkey_sdk.js";
import { Client, diagnose } from "./client.js";
import { LatchkeyError, invalid, notLoaded, text } from "./errors.js";
import { VERSION, isWindowMessage } from "./messages.js";
import { check, checkContainer, copy } from "./options.js";
import { pendingKey, takeResponse } from "./response.js";

export { LatchkeyError, diagnose };

/** Clients that are loading or alive, by platform and client id. */
const clients = new Map();

/** The strip that says why there is no toolbar. */
let strip;

/** The responses that the page came back with, by the same, until an init that can begin takes them. */
const responses = new Map();

export async function init(given) {
  if (typeof document == "undefined") throw invalid("init() runs on a page, in a browser");
  given = copy(given);
  const clientId = text(given.clientId ?? given.client_id);
  const key = text(given.platform).replace(/\/$/, "") + " " + clientId;
  const known = clients.get(key);
  if (known) return Client.again(await known, checkContainer(given.container));
  // Before anything else is loaded: what the page requests from here on must not carry the response along.
  const taken = takeResponse(clientId) ?? responses.get(key);
  responses.set(key, taken);
  // Whoever gives wrong options stands in nobody else's way.
  const options = check(given);
  responses.delete(key);
  strip?.remove();
  // Another client may have come in the place of one that was destroyed before.
  const started = start(options, taken, () => clients.get(key) == started && clients.delete(key));
  clients.set(key, started);
  started.catch((error) => {
    clients.delete(key);
    // Without its module there is no strip, and the error says the same.
    explain(error, options).catch(() => {});
  });
  return started;
}

async function start(options, taken, left) {
  const { clientId, limit, given } = options;
  const deadline = Date.now() + limit;
  // In a window of another page of this site, the response is that page's.
  if (taken && !taken.isPending && (await handOver(taken, clientId))) taken = undefined;
  await loaded(given.wasm, deadline - Date.now());
  return Client.start(options, deadline - Date.now(), taken?.response, left);
}

/** Gives a response to the page of this site that waits for it, and closes the window. False where none does. */
function handOver({ response, state }, clientId) {
  if (!window.BroadcastChannel) return false;
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
    throw error instanceof LatchkeyError ? error : unusable(wasm);
  } finally {
    clearTimeout(timer);
  }
}

/** Why the core could not be loaded: the page's policy refuses all WebAssembly, or only this file is missing. */
function unusable(wasm) {
  try {
    // Some browsers refuse the module, and some only to make anything of it.
    new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)));
  } catch {
    return new LatchkeyError("wasm_blocked");
  }
  if (wasm && typeof wasm != "string" && !(wasm instanceof URL)) return invalid("wasm: give latchkey_sdk_bg.wasm of this version");
  return notLoaded("latchkey_sdk_bg.wasm", "connect-src", " or give its address as wasm");
}

/** Says in words, on the page, why there is no toolbar. */
async function explain(error, { mode, container, headless }) {
  if (headless || /popup|redirect/.test(mode) || /options|aborted/.test(error.code)) return;
  const { show } = await import("./notice.js");
  strip = show(error, container);
}
