// Importing the package does nothing, on a server as everywhere: no global, no request, nothing that keeps a process.
import assert from "node:assert/strict";

const before = Reflect.ownKeys(globalThis);
globalThis.fetch = () => assert.fail("a request");
const sdk = await import("@latchkey/sdk");
assert.deepEqual(Reflect.ownKeys(globalThis), before);
assert.deepEqual(process.getActiveResourcesInfo().filter((it) => /Timeout|Worker|Message|Socket/.test(it)), []);

// And on a server the rest says that it is none of a server's.
const error = await sdk.init({ clientId: "a", platform: "https://platform.example" }).catch((error) => error);
assert(error instanceof sdk.LatchkeyError && error instanceof Error);
assert.deepEqual([error.name, error.code], ["LatchkeyError", "invalid_options"]);
assert.match(error.message, /browser/);
