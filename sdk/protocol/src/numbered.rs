//! Events by number: what JavaScript tells a table in WebAssembly costs a fraction of a text that way. A module of
//! constants repeats the numbers, and a test holds it to them.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Debug;

/// Declares an enum of events, each with its number from 0 on, and `ALL` of them in that order.
#[macro_export]
macro_rules! events {
    ($(#[$about:meta])* $vis:vis enum $Event:ident { $($(#[$doc:meta])* $name:ident = $number:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $Event { $($(#[$doc])* $name = $number,)* }

        impl $Event {
            /// Every event, in the order of the numbers.
            $vis const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

/// The constants of such a module, `export const NAME = 1;` in a line each, in their order.
pub fn constants(script: &str) -> Vec<(String, u32)> {
    script
        .lines()
        .filter_map(|line| line.strip_prefix("export const ")?.strip_suffix(';')?.split_once(" = "))
        .filter_map(|(name, value)| Some((name.to_string(), value.parse().ok()?)))
        .collect()
}

/// The name of such a constant: `FRAME_LOADED` as the event is `FrameLoaded`.
pub fn name_of(event: &impl Debug) -> String {
    let mut capitals = String::new();
    for letter in alloc::format!("{event:?}").chars() {
        if letter.is_uppercase() && !capitals.is_empty() {
            capitals.push('_');
        }
        capitals.push(letter.to_ascii_uppercase());
    }
    capitals
}

#[cfg(test)]
mod tests {
    use super::*;

    events! {
        /// What can happen.
        enum Event {
            /// It begins.
            Began = 0,
            /// The frame is there.
            FrameLoaded = 1,
        }
    }

    #[test]
    fn a_module_of_constants_is_read_as_what_it_declares() {
        let script = "// Numbers.\nexport const BEGAN = 0;\nexport const FRAME_LOADED = 1;\nexport const STATES = [\"a\"];\n";
        let declared: Vec<_> = Event::ALL.iter().map(|event| (name_of(event), *event as u32)).collect();
        assert_eq!(constants(script), declared);
    }
}
