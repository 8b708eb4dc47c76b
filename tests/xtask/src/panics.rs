//! Taking the words out of panics. A panic ends the wasm in any case, and nothing there could print why: the code
//! that would put the message together is weight that nobody ever sees. What is left of each of those functions is
//! the trap at its end.

use walrus::{FunctionKind, LocalFunction, Module, ValType, ir};

/// The functions of the standard library that only ever end in a panic, by the start of their names.
const DIVERGING: [&str; 17] = [
    "alloc::alloc::handle_alloc_error",
    "alloc::raw_vec::capacity_overflow",
    "alloc::raw_vec::handle_error",
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
    // The entry to it all: what panics anywhere ends here.
    "__rustc::rust_begin_unwind",
];

/// Empties the functions that only panic, and returns how many there were. Needs their names.
pub(crate) fn silence(wasm: &mut Module) -> usize {
    let types = &wasm.types;
    let returns_nothing = |local: &LocalFunction| types.results(local.ty()) == [] as [ValType; 0];
    let mut silenced = 0;
    for function in wasm.funcs.iter_mut() {
        let Some(name) = &function.name else { continue };
        let FunctionKind::Local(local) = &mut function.kind else { continue };
        if returns_nothing(local) && is_diverging(name) {
            let entry = local.entry_block();
            local.block_mut(entry).instrs = vec![(ir::Unreachable {}.into(), ir::InstrLocId::default())];
            silenced += 1;
        }
    }
    walrus::passes::gc::run(wasm);
    silenced
}

/// Whether a function of this demangled name only ends in a panic.
fn is_diverging(name: &str) -> bool {
    let plain = without_crate_hash(name);
    DIVERGING.iter().any(|start| plain.starts_with(start))
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

    #[test]
    fn a_crates_hash_is_not_part_of_its_name() {
        assert!(is_diverging("alloc[3ca501edff3f0c7c]::raw_vec::handle_error"));
        assert!(is_diverging("core::str::slice_error_fail_rt::h57c8b8bdc1317fec"));
        assert!(!is_diverging("<core[c5930c85a12de822]::fmt::Formatter>::pad"));
        assert!(!is_diverging("latchkey_sdk::panicking::panic"));
    }
}
