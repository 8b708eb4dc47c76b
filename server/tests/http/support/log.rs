//! What the server logs, by the thread of the test that made it do so.
//!
//! There is one subscriber from the beginning: where one comes and goes while other tests run, lines get lost that somebody
//! else asked for first.

use std::{
    cell::RefCell,
    io::{Result, Write},
    sync::Once,
};

use tracing::Level;

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        LINES.with_borrow_mut(|lines| lines.write(bytes))
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Writes down what is logged from now on, in JSON.
pub(super) fn begin() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let log = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::INFO);
        tracing::subscriber::set_global_default(log.with_writer(|| Lines).finish()).unwrap();
    });
}

/// The lines of this thread so far, which are forgotten.
pub(crate) fn take() -> String {
    String::from_utf8(LINES.take()).unwrap()
}
