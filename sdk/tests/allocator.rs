//! The release build's allocator, used beside the debug build's own.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test in a browser is no #[test] that clippy knows")]
#![allow(unsafe_code, reason = "an allocator is used through raw memory")]

use std::{
    alloc::{GlobalAlloc, Layout},
    collections::BTreeMap,
};

use latchkey_sdk::allocator::Allocator;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

#[wasm_bindgen_test]
fn blocks_that_are_out_never_overlap_and_are_aligned() {
    let allocator = Allocator::new();
    let mut out: BTreeMap<usize, usize> = BTreeMap::new();
    let mut seed = 7usize;
    for round in 0..4000 {
        seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let size = 1 + (seed >> 8) % if round % 50 == 0 { 200_000 } else { 300 };
        if round % 3 == 2 {
            let (address, size) = out.pop_first().unwrap();
            // SAFETY: the block came from this allocator with this layout, and nobody holds it any more.
            unsafe { allocator.dealloc(address as *mut u8, layout(size)) };
            continue;
        }
        // SAFETY: the size is not zero.
        let address = unsafe { allocator.alloc(layout(size)) } as usize;
        assert!(address != 0 && address.is_multiple_of(16));
        let before = out.range(..address).next_back();
        let after = out.range(address..).next();
        assert!(before.is_none_or(|(start, size)| start + size <= address), "round {round}");
        assert!(after.is_none_or(|(start, _)| address + size <= *start), "round {round}");
        // SAFETY: the block is ours and as large as was asked for.
        unsafe { (address as *mut u8).write_bytes(0xAA, size) };
        out.insert(address, size);
    }
}

#[wasm_bindgen_test]
fn a_block_that_came_back_is_handed_out_again() {
    let allocator = Allocator::new();
    // SAFETY: the size is not zero, and each block is given back once.
    unsafe {
        let first = allocator.alloc(layout(100));
        allocator.dealloc(first, layout(100));
        assert_eq!(allocator.alloc(layout(128)), first);
        assert_ne!(allocator.alloc(layout(128)), first);
    }
}

#[wasm_bindgen_test]
fn what_asks_for_more_than_there_is_gets_nothing() {
    let allocator = Allocator::new();
    // SAFETY: the sizes are not zero.
    unsafe {
        // Two gibibytes are half of all the memory a module can have; some of the other half is taken already.
        let half = allocator.alloc(layout(0x7000_0000));
        assert!(half.is_null() || allocator.alloc(layout(0x7000_0000)).is_null());
        assert!(allocator.alloc(Layout::from_size_align(8, 64).unwrap()).is_null());
    }
}
