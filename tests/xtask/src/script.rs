//! The script tag's build of the SDK: the package as one classic script with the global `latchkey`.
//!
//! The core is inside it, and what the package loads on demand as well, but for the diagnosis, which is large and which
//! nobody's visitors need: that is a script beside it, of which it knows the hash. So one hash stands for all of it,
//! and a site that pins it runs nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;
use oxc_syntax::module_record::{ExportExportName, ExportLocalName};
use sha2::{Digest, Sha384};

use crate::javascript;

const NAME: &str = "latchkey.js";
/// The module that stays apart.
const APART: &str = "diagnose.js";
const CORE: &str = "latchkey_sdk_bg.wasm";

/// Makes the script of a built package, and leaves it alone where it is the same: a release build watches it.
pub(crate) fn build(package: &Path, folder: &Path) -> Result<PathBuf> {
    let mut modules = BTreeMap::new();
    for entry in fs::read_dir(package)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".js") {
            modules.insert(name, fs::read_to_string(entry.path())?);
        }
    }
    let (script, apart) = bundle(&modules, &fs::read(package.join(CORE)).context(CORE)?)?;
    fs::create_dir_all(folder)?;
    put(&folder.join(format!("latchkey-{APART}")), &apart)?;
    let path = folder.join(NAME);
    put(&path, &script)?;
    Ok(path)
}

fn put(path: &Path, script: &str) -> Result<()> {
    if fs::read_to_string(path).ok().as_deref() == Some(script) {
        return Ok(());
    }
    let staged = path.with_extension("new");
    fs::write(&staged, script)?;
    Ok(fs::rename(staged, path)?)
}

/// What a page gives as `integrity` (Subresource Integrity §3.5).
pub(crate) fn integrity(script: &[u8]) -> String {
    format!("sha384-{}", BASE64.encode(Sha384::digest(script)))
}

/// What both scripts begin with: an expression of their own, so that no name of theirs meets one of the page's.
const OPENING: &str = "(() => { \"use strict\";\n";

/// Loads the script apart: its element is where that leaves what it exports.
const LOAD: &str = "const $apart = (name, integrity) => new Promise((resolve, reject) => {
    const script = document.createElement(\"script\");
    script.onload = () => resolve(script.latchkey);
    script.onerror = () => reject(new Error(`${name} could not be loaded`));
    script.crossOrigin = \"anonymous\";
    script.integrity = integrity;
    script.src = new URL(name, $meta.url);
    document.head.append(script);
    script.remove();
});
";

/// Options without a core of their own have the one that is inside.
const FACE: &str = "
const own = (options) => ({ ...options, wasm: options?.wasm ?? $core });
globalThis.latchkey = { ...rest, init: (options) => init(own(options)), diagnose: (options) => diagnose(own(options)) };
})();";

/// The script, and the one apart.
fn bundle(modules: &BTreeMap<String, String>, core: &[u8]) -> Result<(String, String)> {
    let find = |name: &str| {
        modules.get(name).with_context(|| format!("the package loads {name} and has no such file"))
    };
    let (main, on_demand) = function(find("index.js")?)?;
    let mut script = format!(
        "{OPENING}const $meta = {{ url: document.currentScript?.src || document.baseURI }};\n{LOAD}\
         const $core = Uint8Array.from(atob(\"{}\"), (character) => character.charCodeAt(0));\n",
        BASE64.encode(core)
    );
    let mut apart = String::new();
    for name in on_demand {
        let (body, more) = function(find(&name)?).with_context(|| name.clone())?;
        ensure!(more.is_empty(), "{name} loads {more:?}, and only index.js loads on demand");
        let body = if name == APART {
            let file = format!("latchkey-{name}");
            apart = javascript::minify_script(
                &file,
                &format!("{OPENING}document.currentScript.latchkey = ({body})(); }})();"),
            )?;
            format!("() => $apart(\"{file}\", \"{}\")", integrity(apart.as_bytes()))
        } else {
            body
        };
        script.push_str(&format!("const {} = {body};\n", identifier(&name)?));
    }
    script.push_str(&format!("const {{ init, diagnose, ...rest }} = ({main})();{FACE}"));
    Ok((javascript::minify_script(NAME, &script)?, apart))
}

/// A module as a function that returns its exports, and the names of what it loads on demand: such functions too.
fn function(module: &str) -> Result<(String, BTreeSet<String>)> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, module, SourceType::mjs()).parse();
    if let Some(error) = parsed.errors.first() {
        bail!("{error}");
    }
    let record = parsed.module_record;
    ensure!(
        record.import_entries.is_empty()
            && record.indirect_export_entries.is_empty()
            && record.star_export_entries.is_empty(),
        "a built module imports nothing but on demand"
    );
    let mut edits: Vec<(u32, u32, String)> = Vec::new();
    let mut exports = Vec::new();
    let mut on_demand = BTreeSet::new();
    for entry in &record.local_export_entries {
        let (ExportExportName::Name(outside), ExportLocalName::Name(inside)) =
            (&entry.export_name, &entry.local_name)
        else {
            bail!("an export without a name");
        };
        exports.push(format!("{}: {}", outside.name, inside.name));
        let statement = entry.statement_span;
        let text = &module[statement.start as usize..statement.end as usize];
        let rest = text.trim_start_matches("export").trim_start();
        // `export { a }` goes; of `export function a() {}` the declaration stays.
        let end =
            if rest.starts_with('{') { statement.end } else { statement.end - u32::try_from(rest.len())? };
        edits.push((statement.start, end, String::new()));
    }
    for import in &record.dynamic_imports {
        let request = &module[import.module_request.start as usize..import.module_request.end as usize];
        let name =
            request.trim_matches(['"', '\'', '`']).strip_prefix("./").context("an import from elsewhere")?;
        edits.push((import.span.start, import.span.end, format!("Promise.resolve({}())", identifier(name)?)));
        on_demand.insert(name.to_owned());
    }
    for meta in &record.import_metas {
        edits.push((meta.start, meta.end, "$meta".to_owned()));
    }
    edits.sort();
    // A statement that exports several names is in there once for each.
    edits.dedup();
    let mut text = module.to_owned();
    for (start, end, with) in edits.into_iter().rev() {
        text.replace_range(start as usize..end as usize, &with);
    }
    Ok((format!("() => {{\n{text}\nreturn {{ {} }};\n}}", exports.join(", ")), on_demand))
}

/// The name of a module's function.
fn identifier(name: &str) -> Result<String> {
    let stem = name.strip_suffix(".js").with_context(|| format!("{name} is no script"))?;
    ensure!(stem.chars().all(|c| c.is_ascii_lowercase()), "{name} is no plain name");
    Ok(format!("${stem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(index: &str) -> BTreeMap<String, String> {
        let other = "const a=3;export function show(){return a}";
        let files =
            [("index.js", index), ("other.js", other), ("diagnose.js", "export const diagnose=()=>1;")];
        files.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
    }

    #[test]
    fn a_module_becomes_a_function_that_returns_its_exports() {
        let module = "const a=1;class B{}export function c(){return import(\"./other.js\")}\
                      export{B,a as d};f(new URL(\"x\",import.meta.url))";
        let (made, on_demand) = function(module).unwrap();
        let expected = "() => {\nconst a=1;class B{}function c(){return Promise.resolve($other())}\
                        f(new URL(\"x\",$meta.url))\nreturn { c: c, B: B, d: a };\n}";
        assert_eq!(made, expected);
        assert_eq!(on_demand.into_iter().collect::<Vec<_>>(), ["other.js"]);
    }

    #[test]
    fn all_of_the_package_is_behind_one_hash_and_one_global() {
        let index = "class E{}export function init(o){return import(\"./other.js\").then(m=>[m.show(),o])}\
                     export const diagnose=()=>import(\"./diagnose.js\");export{E as LatchkeyError};";
        let (script, apart) = bundle(&modules(index), b"\0asm").unwrap();
        assert!(script.contains("latchkey") && script.contains("AGFzbQ=="), "{script}");
        for module_only in ["import(", "import.meta", "export"] {
            assert!(!script.contains(module_only), "{module_only} in {script}");
        }
        assert!(apart.contains("currentScript.latchkey"), "{apart}");
        assert!(script.contains(&integrity(apart.as_bytes())), "{script}");
    }

    #[test]
    fn a_module_that_is_missing_is_an_error() {
        let loads = "export const init=()=>import(\"./none.js\");";
        assert!(bundle(&modules(loads), b"").is_err());
        assert!(bundle(&BTreeMap::new(), b"").is_err());
    }
}
