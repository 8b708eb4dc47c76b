//! latchkey-iframe
