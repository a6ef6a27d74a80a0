use proptest::{prelude::*, sample};
use tabchain_primitives::{CompactTarget, HeaderFields};

use super::*;
use crate::testing;

const LIMITS: Limits = Limits { side_headers: 6, side_depth: 144 };

fn genesis() -> Header {
    *testing::spec().genesis_header()
}

/// A header that nobody has checked. `number` tells it from its siblings; it has two or four units of work.
fn child(of: &Header, number: u64) -> Header {
    let fields = of.fields();
    Header::new(HeaderFields {
        parent: of.hash(),
        height: fields.height.next().expect("tests stay low"),
        target: CompactTarget::from_bits(if number.is_multiple_of(3) { 0x203f_ffff } else { 0x207f_ffff }),
        nonce: number,
        ..fields
    })
}

impl Tree {
    fn all(&self) -> Vec<Index> {
        self.by_hash.values().copied().collect()
    }

    /// Everything that is kept up to date step by step is what it would be if it were computed anew.
    fn is_consistent(&self) {
        for index in self.all() {
            let node = self.node(index);
            assert_eq!(self.find(&node.hash), Some(index));
            let parent = node.parent.map(|parent| self.node(parent));
            assert!(parent.is_none_or(|parent| parent.hash == node.header.parent()));
            assert!(node.parent.is_none_or(|parent| self.children(parent).any(|child| child == index)));
            assert!(self.children(index).all(|child| self.node(child).parent == Some(index)));
            assert_eq!(self.ends.contains(&self.end(index)), node.child.is_none());
            let can_be_ready = node.has_body || self.is_active(index);
            let ready = can_be_ready && parent.is_none_or(|parent| parent.ready.is_some());
            assert_eq!(node.ready.is_some(), ready, "at {}", node.header.height());
            assert!(node.invalid || parent.is_none_or(|parent| !parent.invalid), "what is above is out too");
            assert!(
                node.withheld || parent.is_none_or(|parent| !parent.withheld),
                "and so it is with waiting"
            );
            assert!(!node.withheld || node.ready.is_none(), "what is here is not waited for");
        }
        assert_eq!(self.nodes.len(), self.by_hash.len());
        let valid = |index: &Index| !self.node(*index).invalid;
        let counts = |index: &Index| valid(index) && !self.node(*index).withheld;
        let best = self.all().into_iter().filter(counts).max_by_key(|index| self.end(*index));
        assert_eq!(Some(self.best()), best);
        let ready = self.all().into_iter().filter(valid).filter(|index| self.node(*index).ready.is_some());
        let goal = ready.max_by_key(|index| (self.node(*index).work, self.node(*index).ready.map(Reverse)));
        assert_eq!(Some(self.goal), goal);
        for chain in self.chains() {
            let linked = chain.windows(2).all(|pair| self.parent(pair[1]) == Some(pair[0]));
            assert!(linked && chain.first().is_none_or(|first| *first == Self::GENESIS));
        }
        assert!(self.former.is_empty() || self.tip() != self.goal, "who has arrived needs no way back");
        let kept = |index: &Index| self.chains().iter().any(|chain| chain.contains(index));
        let side = self.all().into_iter().filter(|index| !kept(index));
        assert_eq!(self.side_headers(), side.count());
    }

    /// Brings in so many headers above a block, none of which may be refused.
    fn bring_in_some(&mut self, from: Index, number: u64, count: usize) {
        self.bring_in(from);
        let mut parent = from;
        for _ in 0..count {
            if self.is_invalid(parent) {
                return;
            }
            let header = child(&self.node(parent).header, number);
            parent = self.insert(header, header.hash(), parent).expect("it was weighed");
        }
    }

    /// Takes every step there is; a block of this number turns out to be invalid when it is connected.
    fn run(&mut self, is_bad: impl Fn(u64) -> bool) {
        let mut steps = 0;
        while let Some(step) = self.next_move() {
            match step {
                Move::Forth(index) if is_bad(self.node(index).header.nonce()) => self.mark_invalid(index),
                Move::Forth(index) => self.step_forth(index),
                Move::Back(index) => {
                    assert_eq!(index, self.tip());
                    self.step_back();
                }
            }
            steps += 1;
            assert!(steps < 1_000, "the way to the goal ends");
        }
    }
}

#[derive(Clone, Debug)]
enum Deed {
    Insert {
        parent: sample::Index,
        with_body: bool,
    },
    Body(sample::Index),
    Forget(sample::Index),
    Invalid(sample::Index),
    /// The first body that is lacking on the best chain does not come.
    Withhold,
    /// The branch counts again.
    GiveBack(sample::Index),
    BringIn {
        from: sample::Index,
        count: usize,
    },
    BroughtIn,
    Run,
}

fn deed() -> impl Strategy<Value = Deed> {
    let one = any::<sample::Index>;
    prop_oneof![
        8 => (one(), any::<bool>()).prop_map(|(parent, with_body)| Deed::Insert { parent, with_body }),
        4 => one().prop_map(Deed::Body),
        1 => one().prop_map(Deed::Forget),
        1 => one().prop_map(Deed::Invalid),
        2 => Just(Deed::Withhold),
        1 => one().prop_map(Deed::GiveBack),
        1 => (one(), 0..12_usize).prop_map(|(from, count)| Deed::BringIn { from, count }),
        1 => Just(Deed::BroughtIn),
        2 => Just(Deed::Run),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_happens_the_tree_is_as_if_computed_anew(deeds in prop::collection::vec(deed(), 1..80)) {
        let mut tree = Tree::new(genesis(), LIMITS);
        // In the order of their arrival, so that a case is the same whenever it is run.
        let mut known = vec![tree.tip()];
        for (number, deed) in (1..).zip(deeds) {
            known.sort_by_key(|index| tree.node(*index).seen);
            match deed {
                Deed::Insert { parent, with_body } => {
                    let parent = *parent.get(&known);
                    let header = child(&tree.node(parent).header, number);
                    let inserted = (!tree.is_invalid(parent)).then(|| tree.insert(header, header.hash(), parent));
                    if let Some(Ok(index)) = inserted && with_body {
                        tree.mark_body(index);
                    }
                }
                Deed::Body(index) => tree.mark_body(*index.get(&known)),
                Deed::Forget(index) if known.len() > 1 => tree.forget_body(*index.get(&known[1..])),
                Deed::Invalid(index) if known.len() > 1 => tree.mark_invalid(*index.get(&known[1..])),
                Deed::Forget(_) | Deed::Invalid(_) => {}
                Deed::Withhold => {
                    let lacking = tree.best_lacking().next().map(|node| node.hash);
                    if let Some(first) = lacking.and_then(|hash| tree.find(&hash)) {
                        tree.withhold(first);
                        assert!(tree.is_withheld(first) && tree.best() != first);
                    }
                }
                Deed::GiveBack(index) => tree.give_back(*index.get(&known)),
                Deed::BringIn { from, count } => tree.bring_in_some(*from.get(&known), number, count),
                Deed::BroughtIn => tree.brought_in(),
                Deed::Run => tree.run(|number| number % 11 == 5),
            }
            tree.is_consistent();
            known = tree.all();
        }
        tree.run(|_| false);
        tree.is_consistent();
        prop_assert_eq!(tree.tip(), tree.goal);
    }
}

#[test]
fn a_branch_that_overtakes_leaves_no_more_beside_it_than_allowed() {
    let mut tree = Tree::new(genesis(), LIMITS);
    let insert = |tree: &mut Tree, parent: Index, number| {
        let header = child(&tree.node(parent).header, number);
        tree.insert(header, header.hash(), parent)
    };
    let mut first = Tree::GENESIS;
    for _ in 0..5 {
        first = insert(&mut tree, first, 1).expect("it extends the best");
    }
    let mut second = Tree::GENESIS;
    for _ in 0..6 {
        second = insert(&mut tree, second, 2).expect("there is room beside");
    }
    assert_eq!((tree.best(), tree.side_headers()), (second, 5));
    // The sixth beside it is refused only when it has no more work than what is there.
    let third = insert(&mut tree, Tree::GENESIS, 4).expect("there is room for one");
    assert_eq!(insert(&mut tree, Tree::GENESIS, 5), Err(LowWork));
    insert(&mut tree, third, 4).expect_err("its own branch is the least");
    tree.is_consistent();
    insert(&mut tree, first, 7).expect("it has more work than the third");
    assert_eq!(tree.take_evicted().len(), 1);
    tree.is_consistent();
}

#[test]
fn a_header_takes_the_room_that_the_documentation_says() {
    assert_eq!(size_of::<Node>(), 272);
    assert_eq!(size_of::<Option<Index>>(), size_of::<Index>());
}
