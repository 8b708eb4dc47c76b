//! Taking the words out of panics. A panic ends the wasm in any case, and nothing there could print why: the code
//! that would put the message together is weight that nobody ever sees. What is left of each of those functions is
//! the trap at its end, and of each message the room it took, empty.

use std::collections::HashSet;

use walrus::{
    ConstExpr, ElementItems, ExportItem, FunctionId, FunctionKind, LocalFunction, Module, ValType, ir,
};

/// The functions of the standard library and of wasm-bindgen that only ever end in a panic, by the start of their
/// names.
const DIVERGING: [&str; 21] = [
    "alloc::alloc::handle_alloc_error",
    "alloc::raw_vec::capacity_overflow",
    "alloc::raw_vec::handle_error",
    "core::cell::lazy::panic_poisoned",
    "core::cell::panic_already_",
    "core::option::expect_failed",
    "core::option::unwrap_failed",
    "core::panicking::assert_failed",
    "core::panicking::panic",
    "core::result::unwrap_failed",
    "core::slice::copy_from_slice_impl::len_mismatch_fail",
    "core::slice::index::slice_",
    "core::str::slice_error_fail",
    "std::alloc::rust_oom",
    "std::panicking::begin_panic",
    "std::panicking::panic_handler",
    "std::panicking::rust_panic",
    "std::thread::local::panic_access_error",
    "wasm_bindgen::__rt::throw_null",
    "wasm_bindgen::throw_str",
    // The entry to it all: what panics anywhere ends here.
    "__rustc::rust_begin_unwind",
];

/// What those functions would say, as it lies in the data.
const WORDS: [&str; 17] = [
    " bytes failed",
    " but the index is ",
    " should be < len (is ",
    "LazyCell instance has previously been poisoned",
    "RefCell already borrowed",
    "RefCell already mutably borrowed",
    "Tried to shrink to a larger capacity",
    "attempted to take ownership of Rust value while it was borrowed",
    "cannot access a Thread Local Storage value during or after destruction: ",
    "capacity overflow",
    "index out of bounds: the len is ",
    "memory allocation of ",
    "mid > len",
    "null pointer passed to rust",
    "removal index (is ",
    "recursive use of an object detected which would lead to unsafe aliasing in rust",
    // Where a panic happened: the compiler's own sources.
    "/rustc/",
];

/// Two digits a time: what numbers are written with.
const DIGITS: &str = "000102030405060708091011121314151617181920212223242526272829303132333435363738394041424344454647\
                      4849505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394\
                      9596979899";

/// Empties the functions that only panic, and returns how many there were. Needs their names.
pub(crate) fn silence(wasm: &mut Module) -> usize {
    let types = &wasm.types;
    let returns_nothing = |local: &LocalFunction| types.results(local.ty()) == [] as [ValType; 0];
    let mut silenced = 0;
    for function in wasm.funcs.iter_mut() {
        let Some(name) = &function.name else { continue };
        let FunctionKind::Local(local) = &mut function.kind else { continue };
        if returns_nothing(local) && is_diverging(name) || is_of_a_panic(name) {
            empty(local);
            silenced += 1;
        }
    }
    empty_formatting(wasm);
    walrus::passes::gc::run(wasm);
    forget(wasm, &WORDS);
    if !writes_numbers(wasm) {
        forget(wasm, &[DIGITS]);
    }
    silenced
}

/// Empties the standard library's formatting where only panics used it. What formats a value is called through a table,
/// and whatever stands in the table counts as used; but it is only ever called by what formats, so where nothing else
/// calls into that any more, none of it runs.
fn empty_formatting(wasm: &mut Module) {
    let formats: HashSet<FunctionId> = wasm
        .funcs
        .iter()
        .filter(|it| it.name.as_deref().is_some_and(is_formatting))
        .map(walrus::Function::id)
        .collect();
    let mut waiting: Vec<FunctionId> = wasm
        .exports
        .iter()
        .filter_map(|export| match export.item {
            ExportItem::Function(id) => Some(id),
            _ => None,
        })
        .chain(wasm.start)
        .collect();
    for element in wasm.elements.iter() {
        let of_expression = |expression: &ConstExpr| match expression {
            ConstExpr::RefFunc(id) => Some(*id),
            _ => None,
        };
        let items: Vec<FunctionId> = match &element.items {
            ElementItems::Functions(ids) => ids.clone(),
            ElementItems::Expressions(_, expressions) => {
                expressions.iter().filter_map(of_expression).collect()
            }
        };
        waiting.extend(items.into_iter().filter(|id| !formats.contains(id)));
    }
    let mut used = HashSet::new();
    while let Some(id) = waiting.pop() {
        if used.insert(id)
            && let FunctionKind::Local(local) = &wasm.funcs.get(id).kind
        {
            let mut calls = Calls(Vec::new());
            ir::dfs_in_order(&mut calls, local, local.entry_block());
            waiting.extend(calls.0);
        }
    }
    for function in wasm.funcs.iter_mut().filter(|it| formats.contains(&it.id()) && !used.contains(&it.id()))
    {
        if let FunctionKind::Local(local) = &mut function.kind {
            empty(local);
        }
    }
}

/// The functions that one names.
struct Calls(Vec<FunctionId>);

impl ir::Visitor<'_> for Calls {
    fn visit_function_id(&mut self, id: &FunctionId) {
        self.0.push(*id);
    }
}

/// Whether a function of this demangled name is part of the standard library's formatting.
fn is_formatting(name: &str) -> bool {
    name.contains("::fmt::")
}

/// Leaves the trap alone.
fn empty(local: &mut LocalFunction) {
    let entry = local.entry_block();
    local.block_mut(entry).instrs = vec![(ir::Unreachable {}.into(), ir::InstrLocId::default())];
}

/// Whether anything is left that writes numbers: the standard library's formatting, or what does it faster.
fn writes_numbers(wasm: &Module) -> bool {
    let names = wasm.funcs.iter().filter_map(|function| function.name.as_deref());
    let mut others = names.filter(|name| !is_diverging(name));
    others.any(|name| name.contains("fmt") || name.contains("itoa"))
}

/// Puts zeros in the place of words in the data, each up to the end of its path if it begins one.
fn forget(wasm: &mut Module, words: &[&str]) {
    let ids: Vec<_> = wasm.data.iter().map(walrus::Data::id).collect();
    for id in ids {
        let data = wasm.data.get_mut(id);
        for word in words.iter().map(|word| word.as_bytes()) {
            let mut from = 0;
            while let Some(at) = data.value[from..].windows(word.len()).position(|part| part == word) {
                let start = from + at;
                from = start + word.len();
                if word.starts_with(b"/") {
                    let end = data.value[start..].windows(3).position(|part| part == b".rs");
                    from = end.map_or(from, |end| start + end + 3);
                }
                data.value[start..from].fill(0);
            }
        }
    }
}

/// Whether a function of this demangled name only ends in a panic.
fn is_diverging(name: &str) -> bool {
    let plain = without_crate_hash(name);
    DIVERGING.iter().any(|start| plain.starts_with(start))
}

/// Whether a function of this demangled name is a method of what a panic carries to its handler, and of nothing else.
fn is_of_a_panic(name: &str) -> bool {
    name.strip_prefix('<')
        .is_some_and(|path| without_crate_hash(path).starts_with("std::panicking::panic_handler::"))
}

/// `core[b6a9…]::panicking::panic` as `core::panicking::panic`.
fn without_crate_hash(name: &str) -> String {
    match (name.split_once('['), name.split_once("]::")) {
        (Some((crate_name, _)), Some((_, path))) if !crate_name.contains([':', '<']) => {
            format!("{crate_name}::{path}")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use walrus::FunctionBuilder;

    use super::*;

    fn function(module: &mut Module, name: &str, results: &[ValType]) -> walrus::FunctionId {
        let mut builder = FunctionBuilder::new(&mut module.types, &[], results);
        builder.name(name.to_owned()).func_body().i32_const(7);
        if results.is_empty() {
            builder.func_body().drop();
        }
        let id = builder.finish(vec![], &mut module.funcs);
        module.exports.add(name, id);
        id
    }

    fn length(module: &Module, id: walrus::FunctionId) -> u64 {
        module.funcs.get(id).kind.unwrap_local().size()
    }

    #[test]
    fn only_what_always_panics_is_emptied() {
        let mut module = Module::default();
        let panics = function(&mut module, "core[c5930c85a12de822]::panicking::panic_fmt", &[]);
        let others = [
            function(&mut module, "latchkey_sdk::session::step::h7ab0eac9713d4383", &[]),
            function(&mut module, "core::panicking::panic_count", &[ValType::I32]),
        ];
        let before = others.map(|id| length(&module, id));
        assert_eq!(silence(&mut module), 1);
        assert_eq!(length(&module, panics), 1);
        assert_eq!(others.map(|id| length(&module, id)), before);
    }

    fn data(words: &str) -> Module {
        let mut module = Module::default();
        let memory = module.memories.add_local(false, false, 1, None, None);
        let offset = walrus::ConstExpr::Value(ir::Value::I32(0));
        module.data.add(walrus::DataKind::Active { memory, offset }, words.as_bytes().to_vec());
        module
    }

    fn forgotten(words: &str) -> String {
        let mut module = data(words);
        forget(&mut module, &WORDS);
        let data = module.data.iter().next().unwrap();
        String::from_utf8(data.value.clone()).unwrap().replace('\0', ".")
    }

    #[test]
    fn what_a_panic_would_say_is_gone_from_the_data_and_nothing_else_is() {
        assert_eq!(forgotten("loading"), "loading");
        assert_eq!(
            forgotten("a capacity overflow b capacity overflow"),
            "a ................. b ................."
        );
        assert_eq!(
            forgotten("x/rustc/5980/library/alloc.rsorigin"),
            "x.............................origin".replace("..origin", ".origin")
        );
    }

    #[test]
    fn digits_stay_where_numbers_are_written() {
        let mut module = data(DIGITS);
        function(&mut module, "<u32 as core[c5930c85a12de822]::fmt::Display>::fmt", &[]);
        silence(&mut module);
        assert_eq!(module.data.iter().next().map(|data| data.value[1]), Some(b'0'));
        let mut module = data(DIGITS);
        silence(&mut module);
        assert!(module.data.iter().all(|data| data.value.iter().all(|byte| *byte == 0)));
    }

    #[test]
    fn formatting_stays_where_anything_calls_it() {
        for is_called in [false, true] {
            let mut module = Module::default();
            let write = function(&mut module, "core[c5930c85a12de822]::fmt::write", &[]);
            module.exports.remove("core[c5930c85a12de822]::fmt::write").unwrap();
            let caller = function(&mut module, "latchkey_iframe::panel::decimal", &[]);
            if is_called {
                module
                    .funcs
                    .get_mut(caller)
                    .kind
                    .unwrap_local_mut()
                    .builder_mut()
                    .func_body()
                    .call(write)
                    .drop();
            }
            let before = length(&module, write);
            empty_formatting(&mut module);
            assert_eq!(length(&module, write) == before && before > 1, is_called);
        }
    }

    #[test]
    fn what_a_panic_carries_is_never_read() {
        assert!(is_of_a_panic(
            "<std[a543996e6e7dbf1e]::panicking::panic_handler::FormatStringPayload as core[c593]::panic::PanicPayload>::take_box"
        ));
        assert!(!is_of_a_panic("<alloc[3ca5]::string::String as core[c593]::fmt::Write>::write_char"));
    }

    #[test]
    fn a_crates_hash_is_not_part_of_its_name() {
        assert!(is_diverging("alloc[3ca501edff3f0c7c]::raw_vec::handle_error"));
        assert!(is_diverging("core::str::slice_error_fail_rt::h57c8b8bdc1317fec"));
        assert!(!is_diverging("<core[c5930c85a12de822]::fmt::Formatter>::pad"));
        assert!(!is_diverging("latchkey_sdk::panicking::panic"));
    }
}
