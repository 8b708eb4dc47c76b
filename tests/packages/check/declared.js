// The names that index.d.ts declares, as JSON, for whoever compares them with what there really is.
import { fileURLToPath } from "node:url";
import ts from "typescript";

const path = fileURLToPath(new URL("../node_modules/@latchkey/sdk/index.d.ts", import.meta.url));
const program = ts.createProgram([path], { lib: ["lib.es2022.d.ts", "lib.dom.d.ts"], types: [] });
const checker = program.getTypeChecker();
const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(path)));

// Of an interface what it says itself; a type that is made of several has the properties of all.
const own = (name) => {
  const symbol = exported.find((it) => it.name == name);
  if (symbol.members) return [...symbol.members.keys()].map(String);
  return checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)).map((it) => it.name);
};
const names = (name, without = []) =>
  own(name).filter((it) => !it.startsWith("__") && !without.includes(it)).sort();
const code = checker.getDeclaredTypeOfSymbol(exported.find((it) => it.name == "ErrorCode"));

console.log(
  JSON.stringify({
    module: exported.filter((it) => it.flags & ts.SymbolFlags.Value).map((it) => it.name).sort(),
    client: names("Client", ["addEventListener", "removeEventListener"]),
    error: names("LatchkeyError"),
    options: names("Options"),
    login: names("LoginOptions"),
    session: names("Session"),
    codes: code.types.map((it) => it.value).sort(),
  }),
);
