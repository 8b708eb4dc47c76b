//! The allocator of both wasm modules' release builds: half a kilobyte of every download less than the smallest
//! published one.
//!
//! Memory is handed out in powers of two and comes back to a list for its size, to be handed out again. Nothing is
//! merged and nothing returns to the browser, so the most that is ever lost is half of the most that was ever in use:
//! for a module that holds a few texts at a time, some hundred bytes.
#![no_std]
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "an allocator is made of raw memory")]

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    ptr::null_mut,
};

/// The size of a page of wasm memory.
const PAGE: usize = 65_536;
/// The smallest block. It holds the link to the next free one; and since every block is a multiple of it, each is
/// aligned for every type there is.
const SMALLEST: usize = 16;

/// Free blocks by the exponent of their size, and the untouched rest of the memory.
pub struct Allocator {
    free: [Cell<*mut u8>; usize::BITS as usize],
    rest: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: without the atomics feature a wasm module runs in one thread, and this file is for no other target.
unsafe impl Sync for Allocator {}

impl Default for Allocator {
    fn default() -> Self {
        Self::new()
    }
}

impl Allocator {
    /// An allocator that holds no memory yet.
    pub const fn new() -> Self {
        Self {
            free: [const { Cell::new(null_mut()) }; usize::BITS as usize],
            rest: Cell::new(0),
            end: Cell::new(0),
        }
    }

    /// Takes an untouched block, from new pages if need be. Null if the browser has no more.
    fn untouched(&self, size: usize) -> *mut u8 {
        if self.end.get() - self.rest.get() < size {
            let pages = size.div_ceil(PAGE);
            let start = core::arch::wasm32::memory_grow(0, pages);
            if start == usize::MAX {
                return null_mut();
            }
            // Whoever else grew the memory in between, what is left of the last pages is not continued.
            self.rest.set(start * PAGE);
            self.end.set((start + pages) * PAGE);
        }
        let block = self.rest.get();
        self.rest.set(block + size);
        block as *mut u8
    }
}

fn size_of_block(layout: Layout) -> usize {
    layout.size().max(SMALLEST).next_power_of_two()
}

// SAFETY: a block is handed out to one owner at a time: it leaves its list, or the untouched rest, as it is given, and
// enters a list only as it comes back. It is as large as its layout asks, and its address is a multiple of `SMALLEST`,
// since the rest begins at a page and every size is one; a layout that asks for more than that gets nothing.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > SMALLEST {
            return null_mut();
        }
        let size = size_of_block(layout);
        let list = &self.free[size.trailing_zeros() as usize];
        let block = list.get();
        if block.is_null() {
            return self.untouched(size);
        }
        // SAFETY: a block in a list is free, and its first bytes hold what `dealloc` wrote there.
        list.set(unsafe { block.cast::<*mut u8>().read() });
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let list = &self.free[size_of_block(layout).trailing_zeros() as usize];
        // SAFETY: the block came from `alloc` with this layout, so it is large enough for a pointer and aligned for it.
        unsafe { block.cast::<*mut u8>().write(list.get()) };
        list.set(block);
    }
}
