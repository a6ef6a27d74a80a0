//! Merkle roots, mountain ranges and proofs against the definitions in words.

use proptest::{collection::vec, prelude::*};
use tabchain_primitives::{
    Account, AccountKey, AccountNonce, Address, Amount, StateRoot,
    merkle::{EMPTY, MountainRange, Proof, leaf, node, root},
    tagged::Tag,
};

fn items(count: usize) -> Vec<[u8; 32]> {
    (0..count).map(|number| Tag::Tx.hash(&[&number.to_le_bytes()])).collect()
}

/// Split at the largest power of two smaller than the length.
fn by_definition(items: &[[u8; 32]]) -> [u8; 32] {
    match items {
        [] => EMPTY,
        [only] => leaf(only),
        _ => {
            let split = (0..32).map(|bit| 1 << bit).rfind(|power| *power < items.len()).expect("two items");
            node(&by_definition(&items[..split]), &by_definition(&items[split..]))
        }
    }
}

#[test]
fn roots_follow_the_definition() {
    for count in 0..70 {
        let items = items(count);
        assert_eq!(root(items.iter().copied()), by_definition(&items), "{count} items");
    }
}

/// CVE-2012-2459: a list with its tail doubled has another root.
#[test]
fn doubled_items_change_the_root() {
    let three = items(3);
    let doubled = [three.as_slice(), &three[2..]].concat();
    assert_ne!(root(three.iter().copied()), root(doubled));
    let six = items(6);
    let doubled = [six.as_slice(), &six[4..]].concat();
    assert_ne!(root(six.iter().copied()), root(doubled));
}

/// A node is not a leaf, so no list of subtrees passes for a list of items.
#[test]
fn inner_nodes_are_not_items() {
    let four = items(4);
    let halves = [by_definition(&four[..2]), by_definition(&four[2..])];
    assert_ne!(root(four), root(halves));
}

#[test]
fn every_item_has_a_proof_and_no_other_passes() {
    for count in 1..34 {
        let items = items(count);
        let root = root(items.iter().copied());
        for index in 0..count {
            let proof = Proof::of(&items, index).expect("within the list");
            assert_eq!((proof.index(), proof.length()), (index as u64, count as u64));
            assert!(proof.verify(&root, &items[index]), "{index} of {count}");
            assert!(!proof.verify(&root, &items[(index + 1) % count]) || count == 1);
            assert!(!proof.verify(&EMPTY, &items[index]));
        }
        assert_eq!(Proof::of(&items, count), None);
    }
}

#[test]
fn proofs_of_the_wrong_shape_fail() {
    let items = items(5);
    let root = root(items.iter().copied());
    let good = Proof::of(&items, 4).expect("within the list");
    assert!(good.verify(&root, &items[4]));
    let beside = node(&node(&leaf(&items[0]), &leaf(&items[1])), &node(&leaf(&items[2]), &leaf(&items[3])));
    assert_eq!(good, Proof::from_parts(4, 5, vec![beside]));
    assert!(!Proof::from_parts(4, 5, vec![]).verify(&root, &items[4]), "a sibling is missing");
    assert!(!Proof::from_parts(4, 5, vec![beside; 2]).verify(&root, &items[4]), "a sibling too many");
    assert!(!Proof::from_parts(5, 5, vec![beside]).verify(&root, &items[4]), "outside of the list");
    assert!(!Proof::from_parts(0, 0, vec![]).verify(&EMPTY, &items[4]), "nothing is in the empty list");
    assert!(!Proof::from_parts(u64::MAX - 1, u64::MAX, vec![]).verify(&root, &items[4]));
}

/// The state tree by its definition, bit by bit and without shortcuts other than the one it defines.
fn state_by_definition(leaves: &[(AccountKey, [u8; 32])], depth: usize) -> [u8; 32] {
    match leaves {
        [] => EMPTY,
        [(_, only)] => *only,
        _ => {
            let (right, left): (Vec<_>, Vec<_>) = leaves.iter().copied().partition(|(key, _)| key.bit(depth));
            node(&state_by_definition(&left, depth + 1), &state_by_definition(&right, depth + 1))
        }
    }
}

proptest! {
    #[test]
    fn ranges_grow_as_roots_do(items in vec(any::<[u8; 32]>(), 0..60)) {
        let mut range = MountainRange::default();
        for (index, item) in items.iter().enumerate() {
            prop_assert_eq!(range.root(), root(items[..index].iter().copied()));
            range.push(item);
        }
        prop_assert_eq!(range.length(), items.len() as u64);
    }

    #[test]
    fn state_roots_follow_the_definition(balances in vec((any::<[u8; 20]>(), 0_u64..3), 0..40)) {
        let accounts: std::collections::BTreeMap<Address, Account> = balances
            .into_iter()
            .map(|(address, units)| {
                let balance = Amount::from_units(units).expect("in range");
                (Address::from_bytes(address), Account { nonce: AccountNonce::ZERO, balance })
            })
            .collect();
        let leaves: Vec<_> = accounts
            .iter()
            .filter(|(_, account)| !account.is_empty())
            .map(|(address, account)| (AccountKey::of(address), account.leaf(&AccountKey::of(address))))
            .collect();
        let expected = StateRoot::from_bytes(state_by_definition(&leaves, 0));
        prop_assert_eq!(StateRoot::of_accounts(&accounts), expected);
    }
}
