// The package is what Node and the bundlers expect of one: publint has nothing to say.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const pkgDir = fileURLToPath(new URL("../node_modules/@latchkey/sdk", import.meta.url));
const { messages, pkg } = await publint({ pkgDir, pack: false, strict: true });
assert.deepEqual(messages.map((message) => formatMessage(message, pkg)), []);
