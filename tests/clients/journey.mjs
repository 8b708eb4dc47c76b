// How a client speaks with the journey that started it: what it is to do comes as an argument, the address for the
// person's browser goes out as a line, where the browser arrived comes in as a line, and what came of it goes out as
// the last one. Whatever goes wrong ends the process with what the client said of it.
import { webcrypto } from "node:crypto";
import { createInterface } from "node:readline/promises";

// Debian 12's Node has it, only not as a global yet.
globalThis.crypto ??= webcrypto;

/** @type {{ issuer: string, clientId: string, redirectUri: string, scope: string, api: string,
 *    state: string, nonce: string, verifier: string, resourceServer: { id: string, secret: string } }} */
export const task = JSON.parse(process.argv[2]);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** Sends the person to the authorization request; returns where the browser arrived. */
export async function ask(authorize) {
  say({ authorize });
  const { value } = await lines.next();
  return new URL(value);
}

/** Says what came of it, and ends. */
export function tell(outcome) {
  say(outcome);
  process.exit(0);
}

/** What a promise that must be rejected is rejected with. */
export async function rejection(promise) {
  const outcome = await promise.then(() => undefined, (error) => error);
  if (!outcome) throw new Error("this should have been refused");
  return outcome;
}
