//! `latchkey`: the server and its command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    latchkey_server::cli::main()
}
