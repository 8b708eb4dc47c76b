//! Minifying JavaScript.

use anyhow::{Result, bail};
use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc_minifier::{
    CompressOptions, CompressOptionsKeepNames, MangleOptions, MangleOptionsKeepNames, Minifier,
    MinifierOptions,
};
use oxc_parser::Parser;
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;

/// A module, minified. Class names stay, since they are what a console shows of an object or an error.
pub(crate) fn minify(name: &str, source: &str) -> Result<String> {
    minify_as(SourceType::mjs(), name, source)
}

/// The same of a classic script, whose `"use strict"` stays.
pub(crate) fn minify_script(name: &str, source: &str) -> Result<String> {
    minify_as(SourceType::mjs().with_script(true), name, source)
}

fn minify_as(kind: SourceType, name: &str, source: &str) -> Result<String> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, kind).parse();
    if let Some(error) = parsed.errors.first() {
        bail!("{name}: {error}");
    }
    let mut program = parsed.program;
    // A name that stands twice, as where several modules became one, is none of the parser's errors, nor the minifier's.
    let looked_at = SemanticBuilder::new().with_check_syntax_error(true).build(&program);
    if let Some(error) = looked_at.errors.first() {
        bail!("{name}: {error}");
    }
    let options = MinifierOptions {
        mangle: Some(MangleOptions {
            top_level: true,
            keep_names: MangleOptionsKeepNames { class: true, function: false },
            ..MangleOptions::default()
        }),
        compress: Some(CompressOptions {
            keep_names: CompressOptionsKeepNames { class: true, function: false },
            ..CompressOptions::smallest()
        }),
    };
    let minified = Minifier::new(options).minify(&allocator, &mut program);
    let printed = Codegen::new()
        .with_options(CodegenOptions {
            minify: true,
            comments: CommentOptions::disabled(),
            ..CodegenOptions::default()
        })
        .with_scoping(minified.scoping)
        .with_private_member_mappings(minified.class_private_mappings)
        .build(&program);
    Ok(quote_addresses(&printed.code))
}

/// The modules that one imports as it is loaded; what it imports later, when it is asked for, is not among them.
pub(crate) fn imports(name: &str, source: &str) -> Result<Vec<String>> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::mjs()).parse();
    if let Some(error) = parsed.errors.first() {
        bail!("{name}: {error}");
    }
    let mut found: Vec<String> =
        parsed.module_record.requested_modules.keys().map(ToString::to_string).collect();
    found.sort();
    Ok(found)
}

/// Puts the addresses of other files back in quotes. The printer prefers backticks, and bundlers that look for
/// `import("…")` and `new URL("…", import.meta.url)` do not all look for those.
fn quote_addresses(code: &str) -> String {
    let mut quoted = code.to_owned();
    for opening in ["import(`", "new URL(`"] {
        let mut pieces = quoted.split(opening);
        let mut next = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            match piece.split_once('`') {
                Some((address, rest)) if !address.contains(['$', '"', '\\', '\n']) => {
                    next.push_str(&format!("{}\"{address}\"{rest}", opening.trim_end_matches('`')));
                }
                _ => next.push_str(&format!("{opening}{piece}")),
            }
        }
        quoted = next;
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_see_keeps_its_name() {
        let source = "/** A comment. */\nexport class Failure extends Error {}\n\
                      export function open(address) { return new URL('a.wasm', import.meta.url) + address; }";
        let minified = minify("a.js", source).unwrap();
        assert!(minified.len() < source.len());
        for kept in ["Failure", "open", "new URL(\"a.wasm\",import.meta.url)"] {
            assert!(minified.contains(kept), "{kept} in {minified}");
        }
        assert!(!minified.contains("address") && !minified.contains("comment"), "{minified}");
    }

    #[test]
    fn addresses_are_in_quotes_and_templates_stay_templates() {
        let code = "import(`./a.js`),import(`./${b}.js`),new URL(`c.wasm`,import.meta.url),f(`d`)";
        let expected = "import(\"./a.js\"),import(`./${b}.js`),new URL(\"c.wasm\",import.meta.url),f(`d`)";
        assert_eq!(quote_addresses(code), expected);
    }

    #[test]
    fn what_is_imported_at_once_is_told_from_what_is_imported_later() {
        let source = "import a from './a.js'; import './b.js'; export * from './c.js'; const d = () => import('./d.js');";
        assert_eq!(imports("x.js", source).unwrap(), ["./a.js", "./b.js", "./c.js"]);
        assert!(imports("x.js", "import from").is_err());
    }

    #[test]
    fn a_syntax_error_is_an_error_and_so_is_a_name_that_stands_twice() {
        for source in
            ["export const = 1", "const a = 1; function a() {} export { a };", "const a = 1; const a = 2;"]
        {
            assert!(minify("a.js", source).is_err(), "{source}");
        }
    }
}
