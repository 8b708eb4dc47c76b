//! The client that a customer's page loads. Its JavaScript face is `index.js`; this is the core behind it, which
//! decides what follows from what: every order of events, every limit of time, every race.
//!
//! The core touches nothing and reads no text. `client.js` tells it what happened, as a number with at most one
//! value, and does what it answers, as a set of bits: see [`table`]. What crosses the border is numbers alone, so
//! that the module and its glue together stay far below what one text would cost in either direction.
//!
//! In the release build for the browser the standard library stays out, and a small allocator takes the place of the
//! usual one. A panic, which nothing here asks for, stops the module.
#![cfg_attr(all(target_arch = "wasm32", not(debug_assertions)), no_std)]

#[cfg(target_arch = "wasm32")]
pub use latchkey_allocator as allocator;
pub mod table;

use wasm_bindgen::prelude::*;

use crate::table::{Event, State};

#[cfg(all(target_arch = "wasm32", not(debug_assertions)))]
mod lean {
    #[global_allocator]
    static ALLOCATOR: crate::allocator::Allocator = crate::allocator::Allocator::new();

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}

/// The core behind one `Client` of `client.js`.
#[wasm_bindgen]
pub struct Core(State);

#[wasm_bindgen]
impl Core {
    /// A client that loads until this time at most, with a frame or without.
    #[wasm_bindgen(constructor)]
    pub fn new(framed: bool, deadline: f64) -> Self {
        Self(State::loading(framed, deadline))
    }

    /// What happened, by the number of its [`Event`]; returns the actions. A number that is none means nothing.
    pub fn step(&mut self, event: u32, value: f64, now: f64) -> u32 {
        match Event::ALL.get(event as usize) {
            Some(event) => self.0.step(*event, value, now),
            None => 0,
        }
    }

    /// In how many milliseconds to say that time passed; infinity for never.
    pub fn wake_after(&self, now: f64) -> f64 {
        self.0.wake_after(now)
    }

    /// `loading`, `signed-out`, `signing-in`, `signed-in`.
    pub fn name(&self) -> u8 {
        self.0.name()
    }

    /// Whether a response may still come for the window that this page opened.
    pub fn awaits(&self) -> bool {
        self.0.awaits()
    }
}
