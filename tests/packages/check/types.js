// The uses in types.ts, as each kind of project compiles them.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const at = (name) => fileURLToPath(new URL(name, import.meta.url));
const { ESNext, NodeNext } = ts.ModuleKind;
for (const [module, moduleResolution, ...uses] of [
  // A page without a bundler is a script to the one, and a module to the other.
  [ESNext, ts.ModuleResolutionKind.Bundler, "types.ts", "global.ts"],
  [NodeNext, ts.ModuleResolutionKind.NodeNext, "types.ts"],
]) {
  const program = ts.createProgram(uses.map(at), {
    module,
    moduleResolution,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: [],
  });
  const complaints = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file && file.getLineAndCharacterOfPosition(start).line + 1;
    return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
  assert.deepEqual(complaints, []);
}
