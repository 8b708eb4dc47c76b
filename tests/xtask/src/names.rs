//! Shortening the names by which the wasm and its JavaScript glue know each other. wasm-bindgen's are long, and each
//! is in both files; nobody else sees them.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use walrus::Module;

/// The module and the glue with short names for every import and export they share.
///
/// `module` is the name under which the wasm imports from its glue, such as `./latchkey_sdk_bg.js`.
pub(crate) fn shorten(wasm: &mut Module, glue: &str, module: &str) -> Result<String> {
    let imports = imports(wasm, glue, module)?;
    let exports = exports(wasm, glue);
    for import in wasm.imports.iter_mut().filter(|import| import.module == module) {
        if let Some(short) = imports.get(&import.name) {
            import.name.clone_from(short);
        }
        import.module = SHORT_MODULE.to_owned();
    }
    for export in wasm.exports.iter_mut() {
        if let Some(short) = exports.get(&export.name) {
            export.name.clone_from(short);
        }
    }
    let glue = rename(glue, |before, word| {
        if before.ends_with("wasm.") { exports.get(word) } else { imports.get(word) }.map(String::as_str)
    });
    Ok(glue.replace(&format!("\"{module}\""), &format!("\"{SHORT_MODULE}\"")))
}

/// Drops the exports that the glue never mentions, and what only they need.
pub(crate) fn forget_exports(wasm: &mut Module, glue: &str) {
    let mentioned = count(glue, |_, _| true);
    let unseen = |export: &&walrus::Export| !mentioned.contains_key(export.name.as_str());
    let unseen: Vec<_> = wasm.exports.iter().filter(unseen).map(walrus::Export::id).collect();
    unseen.into_iter().for_each(|export| wasm.exports.delete(export));
    walrus::passes::gc::run(wasm);
}

const SHORT_MODULE: &str = "a";

/// Every import, with a new name. Each must be in the glue once, as the key of the object handed to the wasm.
fn imports(wasm: &Module, glue: &str, module: &str) -> Result<HashMap<String, String>> {
    let uses = count(glue, |_, _| true);
    let mut names = HashMap::new();
    for import in wasm.imports.iter().filter(|import| import.module == module) {
        let seen = uses.get(import.name.as_str()).copied().unwrap_or(0);
        ensure!(seen > 0, "the glue does not define {}, which the wasm imports", import.name);
        if seen == 1 && import.name.starts_with("__wb") {
            let short = short_name(names.len());
            names.insert(import.name.clone(), short);
        }
    }
    Ok(names)
}

/// The exports that the glue reaches as `wasm.name` and in no other way, with a new name.
fn exports(wasm: &Module, glue: &str) -> HashMap<String, String> {
    let through_wasm = count(glue, |before, _| before.ends_with("wasm."));
    let otherwise = count(glue, |before, _| before.ends_with("exports.") || before.ends_with(['"', '\'']));
    let mut names = HashMap::new();
    for export in wasm.exports.iter() {
        let name = export.name.as_str();
        if through_wasm.contains_key(name) && !otherwise.contains_key(name) {
            let short = short_name(names.len());
            names.insert(export.name.clone(), short);
        }
    }
    names
}

/// a, b, … z, A, … Z, aa, ab, …
fn short_name(mut index: usize) -> String {
    const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut name = String::new();
    loop {
        name.insert(0, char::from(LETTERS[index % LETTERS.len()]));
        if index < LETTERS.len() {
            return name;
        }
        index = index / LETTERS.len() - 1;
    }
}

/// How often each identifier occurs where `counts(text before it, identifier)` holds.
fn count(text: &str, counts: impl Fn(&str, &str) -> bool) -> HashMap<&str, usize> {
    let mut found = HashMap::new();
    for (start, word) in words(text) {
        if counts(&text[..start], word) {
            *found.entry(word).or_insert(0) += 1;
        }
    }
    found
}

/// The text with identifiers replaced, where `new_name(text before it, identifier)` gives another.
fn rename<'n>(text: &str, new_name: impl Fn(&str, &str) -> Option<&'n str>) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut copied = 0;
    for (start, word) in words(text) {
        if let Some(new) = new_name(&text[..start], word) {
            renamed.push_str(&text[copied..start]);
            renamed.push_str(new);
            copied = start + word.len();
        }
    }
    renamed.push_str(&text[copied..]);
    renamed
}

/// The identifiers of a text, each with where it starts.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text[rest..].find(part)?;
        let end = text[start..].find(|c| !part(c)).map_or(text.len(), |length| start + length);
        rest = end;
        Some((start, &text[start..end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_never_repeat() {
        let names: std::collections::HashSet<_> = (0..3000).map(short_name).collect();
        assert_eq!(names.len(), 3000);
        assert_eq!([short_name(0), short_name(51), short_name(52), short_name(53)], ["a", "Z", "aa", "ab"]);
    }

    #[test]
    fn both_sides_get_the_same_names_and_others_keep_theirs() {
        let mut module = Module::default();
        let ty = module.types.add(&[], &[]);
        let (imported, _) = module.add_import_func("./x_bg.js", "__wbg_log_0123", ty);
        module.exports.add("login", imported);
        module.exports.add("unseen", imported);
        let glue = "export function login() { wasm.login(); }\n\
                    const import0 = { __wbg_log_0123: function() {} };\nreturn { \"./x_bg.js\": import0 };";
        let glue = shorten(&mut module, glue, "./x_bg.js").unwrap();
        assert_eq!(
            glue,
            "export function login() { wasm.a(); }\n\
             const import0 = { a: function() {} };\nreturn { \"a\": import0 };"
        );
        assert!(module.imports.find("a", "a").is_some());
        let exports: Vec<_> = module.exports.iter().map(|export| export.name.as_str()).collect();
        assert_eq!(exports, ["a", "unseen"]);
    }

    #[test]
    fn what_the_glue_never_mentions_is_not_exported() {
        let mut module = Module::default();
        let ty = module.types.add(&[], &[]);
        let (imported, _) = module.add_import_func("a", "a", ty);
        for name in ["login", "log", "unseen"] {
            module.exports.add(name, imported);
        }
        forget_exports(&mut module, "wasm.login(); wasm[\"log\"]();");
        let exports: Vec<_> = module.exports.iter().map(|export| export.name.as_str()).collect();
        assert_eq!(exports, ["login", "log"]);
    }

    #[test]
    fn an_import_the_glue_lacks_is_an_error() {
        let mut module = Module::default();
        let ty = module.types.add(&[], &[]);
        module.add_import_func("./x_bg.js", "__wbg_log_0123", ty);
        assert!(shorten(&mut module, "", "./x_bg.js").is_err());
    }
}
