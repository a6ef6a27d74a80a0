//! A set that forgets its oldest items when it is full.

use std::collections::{BTreeSet, VecDeque};

/// Remembers at most so many items, the latest ones.
#[derive(Clone, Debug)]
pub struct RecentSet<T> {
    items: BTreeSet<T>,
    order: VecDeque<T>,
    capacity: usize,
}

impl<T: Ord + Copy> RecentSet<T> {
    /// An empty set that will hold at most `capacity` items.
    pub const fn new(capacity: usize) -> Self {
        Self { items: BTreeSet::new(), order: VecDeque::new(), capacity }
    }

    /// Takes an item in; false when it was there. The oldest goes if there is no room.
    pub fn insert(&mut self, item: T) -> bool {
        if !self.items.insert(item) {
            return false;
        }
        self.order.push_back(item);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.items.remove(&oldest);
        }
        true
    }

    /// Takes the oldest item out.
    pub fn pop_oldest(&mut self) -> Option<T> {
        let oldest = self.order.pop_front()?;
        self.items.remove(&oldest);
        Some(oldest)
    }

    /// Whether the item is remembered.
    pub fn contains(&self, item: &T) -> bool {
        self.items.contains(item)
    }

    /// How many items are remembered.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first_and_a_repeat_is_not_new() {
        let mut set = RecentSet::new(2);
        assert!(set.insert(1));
        assert!(!set.insert(1));
        assert!(set.insert(2));
        assert!(set.insert(3));
        assert_eq!((set.contains(&1), set.contains(&2), set.contains(&3), set.len()), (false, true, true, 2));
        assert_eq!((set.pop_oldest(), set.pop_oldest(), set.pop_oldest()), (Some(2), Some(3), None));
    }
}
