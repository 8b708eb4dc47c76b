//! Trimming the glue that wasm-bindgen writes: it is made for every browser of the last ten years and for every way
//! of being called, and ours is called in one way, by browsers that run our wasm at all.
//!
//! Nothing here is needed for the glue to work. Where another version of wasm-bindgen words a part otherwise, that
//! part stays as it is, and `cargo xtask size` shows it.

/// The glue of the module in `{stem}_bg.wasm`, with a default export that loads it and takes no arguments.
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
async function instantiate() {
    const response = await fetch(new URL('{stem}_bg.wasm', import.meta.url));
    const { instance, module } = await WebAssembly.instantiate(await response.arrayBuffer(), __wbg_get_imports());
    __wbg_finalize_init(instance, module);
}
let loading;
function load() {
    return loading ??= instantiate().catch((error) => {
        loading = undefined;
        throw error;
    });
}
export { load as default };
";

/// Replaces the text from `start` to the `end` after it, both included. False where there is none.
fn replace(glue: &mut String, start: &str, end: &str, with: &str) -> bool {
    let found = glue.find(start).and_then(|from| {
        let length = glue[from + start.len()..].find(end)?;
        Some(from..from + start.len() + length + end.len())
    });
    found.map(|range| glue.replace_range(range, with)).is_some()
}

/// One module of two: what `entry` imports from `./{name}` stands in the place of the import. None where it imports
/// nothing from there. Both keep their names, so a name that stands in both is an error of the minifier's.
pub(crate) fn inline(entry: &str, name: &str, module: &str) -> Option<String> {
    let address = format!(" from \"./{name}\";");
    let import = entry.lines().find(|line| line.starts_with("import ") && line.ends_with(&address))?;
    let module: String = module
        .lines()
        .filter(|line| !line.starts_with("export {"))
        .map(|line| format!("{}\n", line.strip_prefix("export ").unwrap_or(line)))
        .collect();
    Some(entry.replacen(import, &module, 1))
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
    fn a_module_takes_the_place_of_its_import() {
        let entry = "// A.\nimport load, { B } from \"./b.js\";\nexport const c = new B(load);\n";
        let module = "export class B {}\nfunction load() {}\nexport { load as default };\n";
        assert_eq!(
            inline(entry, "b.js", module).unwrap(),
            "// A.\nclass B {}\nfunction load() {}\n\nexport const c = new B(load);\n"
        );
        assert_eq!(inline(entry, "c.js", module), None);
    }
}
