//! One target under LLVM's fuzzing engine: `cargo xtask fuzz TARGET` builds and runs it.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod engine {
    use std::sync::LazyLock;

    use latchkey_fuzz::Target;

    static TARGET: LazyLock<Option<Target>> =
        LazyLock::new(|| std::env::var("FUZZ_TARGET").ok().and_then(|name| Target::find(&name)));

    libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
        if let (Some(target), Ok(text)) = (*TARGET, std::str::from_utf8(bytes)) {
            let _ = (target.run)(text);
        }
    });
}

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    use std::io::Write;
    let names = latchkey_fuzz::TARGETS.map(|target| target.name).join(", ");
    let _ = writeln!(std::io::stderr(), "run `cargo xtask fuzz TARGET`, where TARGET is one of {names}");
    std::process::ExitCode::FAILURE
}
