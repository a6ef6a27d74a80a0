//! What a test's thread holds, in bytes, for tests that say how much that may be.
//!
//! A test binary makes [`Counting`] its allocator; each thread then has counts of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Passes everything on to the system, and counts.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// Bytes that this thread holds.
pub fn held() -> isize {
    HELD.get()
}

/// The most bytes that this thread held at any moment since [`begin`].
pub fn most() -> isize {
    MOST.get()
}

/// Forgets what was held before, and gives what is held now.
pub fn begin() -> isize {
    MOST.set(held());
    held()
}

fn note(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

// The one way to know what a program really holds; it only counts and passes on.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-layout.size().cast_signed());
        unsafe { System.dealloc(pointer, layout) }
    }
}
