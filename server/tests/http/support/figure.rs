//! What a test found out besides whether it passes.

use std::{fs::File, io::Write};

/// The file that whoever runs the tests reads it from: what a test prints that passes is seen by nobody.
const FIGURES: &str = "LATCHKEY_TEST_FIGURES";

/// Tells of it, in a line.
#[allow(clippy::print_stdout, reason = "a test that is run alone tells it as well")]
pub(crate) fn figure(line: &str) {
    println!("{line}");
    if let Some(path) = std::env::var_os(FIGURES) {
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        // At once, so that lines of several tests stay whole.
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}
