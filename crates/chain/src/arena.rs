//! An arena: values by `u32`, in pages that never move.
//!
//! A growing `Vec` holds its content twice while it moves and keeps up to half of itself empty; with a million
//! accounts in a tab that would be most of the memory. Of pages, only the last is ever partly empty.

/// How many values a page holds, as a power of two: a page is tens to hundreds of kilobytes.
const PAGE_BITS: u32 = 10;
const PAGE: usize = 1 << PAGE_BITS;

/// Values by index; the index of a value stays the same until it is removed.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    pages: Vec<Vec<T>>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    pub(crate) const fn new() -> Self {
        Self { pages: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn get(&self, index: u32) -> &T {
        let (page, place) = locate(index);
        &self.pages[page][place]
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> &mut T {
        let (page, place) = locate(index);
        &mut self.pages[page][place]
    }

    /// Stores a value and says where.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(index) = self.free.pop() {
            *self.get_mut(index) = value;
            return index;
        }
        if self.pages.last().is_none_or(|page| page.len() == PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        let last = self.pages.len() - 1;
        let place = self.pages[last].len();
        self.pages[last].push(value);
        u32::try_from(last << PAGE_BITS | place).expect("fewer than 2^31 values fit a memory")
    }

    /// Gives the place to the next value that is inserted.
    pub(crate) fn remove(&mut self, index: u32) {
        self.free.push(index);
    }

    /// How many values it holds. Those that were removed don't count, though their places are still there.
    pub(crate) fn len(&self) -> usize {
        let full = self.pages.len().saturating_sub(1) * PAGE;
        full + self.pages.last().map_or(0, Vec::len) - self.free.len()
    }
}

const fn locate(index: u32) -> (usize, usize) {
    ((index >> PAGE_BITS) as usize, index as usize & (PAGE - 1))
}
