//! Trimming the glue that wasm-bindgen writes: it is made for every browser of the last ten years and for every way
//! of being called, and ours is called in one way, by browsers that run our wasm at all.
//!
//! Nothing here is needed for the glue to work. Where another version of wasm-bindgen words a part otherwise, that
//! part stays as it is, and `cargo xtask size` shows it.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

/// The glue of the module in `{stem}_bg.wasm`, with a default export that loads it, from beside itself or from
/// what it is given.
pub(crate) fn trim(glue: &str, stem: &str) -> String {
    let mut glue = glue.to_owned();
    replace(&mut glue, "\nfunction passStringToWasm0(", "\n}\n", PASS_STRING);
    glue = glue.replace(", wasm.__wbindgen_malloc, wasm.__wbindgen_realloc)", ")");
    // What `PASS_STRING` does not call, and what only a browser without reference types lacks.
    replace(&mut glue, "\nif (!('encodeInto' in cachedTextEncoder))", "\n}\n", "");
    replace(&mut glue, "(typeof FinalizationRegistry === 'undefined')", ": new ", "new ");
    // A way around a flaw of Safari's that shows after two gigabytes of texts.
    replace(&mut glue, "\nfunction decodeText(", "\n}\n", DECODE_TEXT);
    // `using` is for who holds the object; ours never leaves its client.
    while replace(&mut glue, "\nif (Symbol.dispose)", "\n", "") {}
    if replace(&mut glue, "\nasync function __wbg_load(", "export { initSync, __wbg_init as default };", "") {
        glue.push_str(&LOAD.replace("{stem}", stem));
    }
    glue
}

const PASS_STRING: &str = "
function passStringToWasm0(arg) {
    const bytes = cachedTextEncoder.encode(arg);
    const ptr = wasm.__wbindgen_malloc(bytes.length, 1) >>> 0;
    getUint8ArrayMemory0().set(bytes, ptr);
    WASM_VECTOR_LEN = bytes.length;
    return ptr;
}
";

const DECODE_TEXT: &str = "
function decodeText(bytes) {
    return cachedTextDecoder.decode(bytes);
}
";

/// Compiles the whole file at once: it is too small for streaming to gain anything, and whoever serves it need not
/// know its media type. It is loaded once for all, and after a failure anew.
const LOAD: &str = "
function wasmUrl() {
    return new URL('{stem}_bg.wasm', import.meta.url);
}
async function instantiate(source) {
    // A module that is compiled already, its bytes, or where they are.
    const isHere = source instanceof WebAssembly.Module || source instanceof ArrayBuffer || ArrayBuffer.isView(source);
    if (!isHere) {
        const response = await fetch(source ?? wasmUrl());
        source = await response.arrayBuffer();
    }
    const made = await WebAssembly.instantiate(source, __wbg_get_imports());
    __wbg_finalize_init(made.instance ?? made, made.module ?? source);
}
let loading;
function load(source) {
    return loading ??= instantiate(source).catch((error) => {
        loading = undefined;
        throw error;
    });
}
export { load as default, wasmUrl };
";

/// Replaces the text from `start` to the `end` after it, both included. False where there is none.
fn replace(glue: &mut String, start: &str, end: &str, with: &str) -> bool {
    let found = glue.find(start).and_then(|from| {
        let length = glue[from + start.len()..].find(end)?;
        Some(from..from + start.len() + length + end.len())
    });
    found.map(|range| glue.replace_range(range, with)).is_some()
}

/// One module of several: what an entry imports from `./{name}` stands in the place of the first import of it, and so
/// on inside that. `read` gives a module by its name. All keep their names, so a name that stands in two of them is an
/// error of the minifier's. Returns the names of the modules that went in.
pub(crate) fn join(
    entry: &str,
    read: &mut dyn FnMut(&str) -> Result<String>,
) -> Result<(String, BTreeSet<String>)> {
    let mut seen = BTreeSet::new();
    Ok((inline(entry, read, &mut seen)?, seen))
}

fn inline(
    text: &str,
    read: &mut dyn FnMut(&str) -> Result<String>,
    seen: &mut BTreeSet<String>,
) -> Result<String> {
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((import, name, after)) = next_import(rest) {
        let statement = &rest[import..rest.len() - after.len()];
        ensure!(
            !statement.contains(" as "),
            "{statement} has other names than the module, and all keep theirs"
        );
        joined.push_str(&rest[..import]);
        if seen.insert(name.to_owned()) {
            joined.push_str(&without_exports(&inline(&read(name)?, read, seen)?));
        }
        rest = after;
    }
    joined.push_str(rest);
    Ok(joined)
}

/// Where the next static import of a module beside this one stands, what it names, and the text after it.
fn next_import(text: &str) -> Option<(usize, &str, &str)> {
    let mut from = 0;
    loop {
        let line = text[from..].find("import ").map(|at| from + at)?;
        from = line + 1;
        if line > 0 && !text[..line].ends_with('\n') {
            continue;
        }
        let end = text[line..].find(';')?;
        let statement = &text[line..line + end];
        let name =
            statement.strip_suffix('"').and_then(|it| it.rsplit_once(" from \"./")).map(|(_, name)| name);
        if let Some(name) = name {
            return Some((line, name, &text[line + end + 1..]));
        }
    }
}

/// The text of a module that others take in: its names are everybody's now.
fn without_exports(module: &str) -> String {
    let lines = module.lines().filter(|line| !line.starts_with("export {"));
    lines.map(|line| format!("{}\n", line.strip_prefix("export ").unwrap_or(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wasm_bindgen_words_otherwise_stays() {
        let glue = "function another() {\n}\nexport { another as default };\n";
        assert_eq!(trim(glue, "x"), glue);
    }

    #[test]
    fn strings_go_the_short_way_and_one_function_loads() {
        let glue = "export class A { b(c) { passStringToWasm0(c, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc); } }\n\
                    if (Symbol.dispose) A.prototype[Symbol.dispose] = A.prototype.free;\n\
                    function passStringToWasm0(arg, malloc, realloc) {\n    if (arg) {\n    }\n}\n\
                    async function __wbg_load(module, imports) {\n}\n\
                    export { initSync, __wbg_init as default };\n";
        let glue = trim(glue, "x");
        assert!(glue.starts_with("export class A { b(c) { passStringToWasm0(c); } }"), "{glue}");
        assert!(glue.contains("new URL('x_bg.wasm', import.meta.url)"), "{glue}");
        for gone in ["realloc", "__wbg_load", "initSync", "dispose"] {
            assert!(!glue.contains(gone), "{gone} in {glue}");
        }
    }

    #[test]
    fn a_module_takes_the_place_of_its_first_import() {
        let entry = "// A.\nimport load, {\n  B,\n} from \"./b.js\";\nimport { d } from \"./d.js\";\n\
                     export const c = new B(load, d, import(\"./e.js\"));\n";
        let (joined, seen) = join(entry, &mut |name| {
            Ok(match name {
                "b.js" => "import { d } from \"./d.js\";\nexport class B {}\nfunction load() {}\nexport { load as default };\n",
                "d.js" => "export const d = 1;\n",
                other => anyhow::bail!("{other}"),
            }
            .to_owned())
        })
        .unwrap();
        let expected = "// A.\nconst d = 1;\n\nclass B {}\nfunction load() {}\n\n\n\
                        export const c = new B(load, d, import(\"./e.js\"));\n";
        assert_eq!(joined, expected);
        for import in ["* as b", "{ d as b }"] {
            let entry = format!("import {import} from \"./d.js\";\n");
            join(&entry, &mut |_| Ok(String::new())).unwrap_err();
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["b.js", "d.js"]);
        assert!(join("import { x } from \"./missing.js\";\n", &mut |name| anyhow::bail!("{name}")).is_err());
    }
}
