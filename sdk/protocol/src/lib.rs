//! latchkey-protocol
