//! Headers are weighed before they are kept: what that tells, and what it costs.

use std::sync::Arc;

use tabchain_chain::{Chain, InsertError, Limits, Step, Stretch, WeighError, testing::*};
use tabchain_consensus::{ChainSpec, HeaderError};
use tabchain_primitives::{Block, BlockHash, Header, HeaderFields, Height, Timestamp};

const LATE: Timestamp = Timestamp::from_millis(1_900_000_000_000);

/// So many headers above a block, with hardly any work, told apart by their transactions' count.
fn headers_on(parent: &Header, tx_count: u32, count: usize) -> Vec<Header> {
    let mut parent = *parent;
    let next = || {
        let fields = parent.fields();
        let height = fields.height.next().expect("tests stay low");
        let time = fields.time.saturating_add(1_000);
        parent = solve(Header::new(HeaderFields { height, parent: parent.hash(), time, tx_count, ..fields }));
        parent
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn chain(limits: Limits) -> (Arc<ChainSpec>, Chain) {
    let spec = spec();
    (Arc::clone(&spec), Chain::with_limits(spec, limits))
}

fn insert_all(chain: &mut Chain, headers: &[Header]) {
    for header in headers {
        chain.insert_header(*header, LATE).expect("the header is good");
    }
}

fn genesis(chain: &Chain) -> BlockHash {
    chain.spec().genesis_hash()
}

#[test]
fn a_weighing_says_what_inserting_would_and_keeps_nothing() {
    let (spec, mut chain) = chain(Limits::default());
    let headers = headers_on(spec.genesis_header(), 0, 50);
    let mut weighing = chain.weigh_from(&genesis(&chain)).expect("the genesis is known");
    for part in headers.chunks(20) {
        weighing.add(&spec, part, LATE).expect("they are good");
    }
    assert!(headers.iter().all(|header| !chain.contains(&header.hash())));
    insert_all(&mut chain, &headers);
    let best = chain.best_header();
    assert_eq!((weighing.work(), *weighing.end(), weighing.height()), (best.work, best.hash, best.height));
    let ends = [19, 39, 49].map(|at: usize| headers[at].hash());
    let stretches = ends.into_iter().zip([20, 20, 10]).map(|(end, count)| Stretch { end, count });
    assert_eq!(weighing.stretches(), stretches.collect::<Vec<_>>());
}

#[test]
fn what_breaks_a_rule_or_does_not_follow_is_not_weighed() {
    let (spec, chain) = chain(Limits::default());
    let headers = headers_on(spec.genesis_header(), 0, 4);
    let begin = || chain.weigh_from(&genesis(&chain)).expect("the genesis is known");

    assert_eq!(begin().add(&spec, &headers[1..], LATE), Err(WeighError::Detached));
    let gap = [headers[0], headers[2]];
    let mut weighing = begin();
    assert_eq!(weighing.add(&spec, &gap, LATE), Err(WeighError::Detached));
    assert_eq!(weighing.height(), Height::new(1), "what came before counts");

    let idle = (0..100)
        .map(|nonce| headers[0].with_nonce(nonce))
        .find(|header| !header.target().expand().expect("a target").is_met_by(&header.hash()));
    let idle = idle.expect("every other nonce is not good enough");
    assert_eq!(begin().add(&spec, &[idle], LATE), Err(WeighError::Rule(HeaderError::NotEnoughWork)));

    let early = Timestamp::from_millis(headers[2].time().millis() - spec.future_limit_ms());
    let mut weighing = begin();
    let at = Timestamp::from_millis(early.millis() + 1_000);
    assert_eq!(weighing.add(&spec, &headers, early), Err(WeighError::TooEarly { at }));
    assert_eq!((weighing.height(), weighing.stretches().len()), (Height::new(3), 1));
    assert!(chain.weigh_from(&headers[0].hash()).is_none(), "it begins where something is known");
}

/// The fork leaves far more headers below the chain's end than side branches may have.
#[test]
fn a_fork_of_20_100_headers_wins_over_20_000() {
    let (spec, mut chain) = chain(Limits::default());
    let (ours, theirs) =
        (headers_on(spec.genesis_header(), 0, 20_000), headers_on(spec.genesis_header(), 1, 20_100));
    insert_all(&mut chain, &ours);
    assert_eq!(chain.insert_header(theirs[0], LATE), Err(InsertError::LowWork), "nobody has weighed it");

    let mut weighing = chain.weigh_from(&genesis(&chain)).expect("the genesis is known");
    for part in theirs.chunks(2_000) {
        weighing.add(&spec, part, LATE).expect("they are good");
    }
    assert!(weighing.work() > chain.best_header().work);
    chain.expect_branch(weighing.from());
    insert_all(&mut chain, &theirs);
    chain.end_branch();
    assert_eq!(chain.best_header().hash, *weighing.end());
    assert_eq!(chain.missing_bodies(1), [theirs[0].hash()]);
    // Nobody stands on the old chain, so it is a side branch, and too long for one.
    assert!(!chain.contains(&ours[0].hash()));
    assert_eq!(chain.take_evicted().len(), 20_000);
}

#[test]
fn a_branch_that_never_comes_leaves_no_more_than_a_side_branch() {
    let (spec, mut chain) = chain(Limits { side_headers: 20, ..Limits::default() });
    let (ours, theirs) = (headers_on(spec.genesis_header(), 0, 60), headers_on(spec.genesis_header(), 1, 50));
    insert_all(&mut chain, &ours);
    chain.expect_branch(&genesis(&chain));
    insert_all(&mut chain, &theirs);
    chain.end_branch();
    assert_eq!(chain.best_header().hash, ours[59].hash());
    assert_eq!(chain.take_evicted().len(), 50);
    let refused = headers_on(spec.genesis_header(), 2, 1)[0];
    chain.insert_header(refused, LATE).expect("near enough to the end, and there is room");
}

#[test]
fn a_header_far_below_the_end_is_kept_only_if_it_was_weighed() {
    let (spec, mut chain) = chain(Limits { side_depth: 10, ..Limits::default() });
    let ours = headers_on(spec.genesis_header(), 0, 20);
    insert_all(&mut chain, &ours);
    let low = headers_on(&ours[7], 1, 1)[0];
    let near = headers_on(&ours[8], 1, 1)[0];
    assert_eq!((near.height(), chain.best_header().height), (Height::new(10), Height::new(20)));
    assert_eq!(chain.insert_header(low, LATE), Err(InsertError::LowWork));
    chain.insert_header(near, LATE).expect("ten below the end");
    chain.expect_branch(&low.parent());
    chain.insert_header(low, LATE).expect("it is expected");
}

/// A heavier branch whose last block lies about the state, deeper than side branches may be.
#[test]
fn a_deep_fork_that_turns_out_invalid_leads_back_to_the_very_tip_that_was_left() {
    let limits = Limits { side_headers: 5, ..Limits::default() };
    let mut archive = Archive::new(Chain::with_limits(spec(), limits));
    let ours: Vec<Block> = (0..30).map(|_| archive.extend(Key::new(100).address(), &[])).collect();
    let tip = archive.chain.tip();
    let mut other = Archive::new(Chain::new(spec()));
    let theirs: Vec<Block> = (0..31).map(|_| other.extend(Key::new(200).address(), &[])).collect();
    let lie = HeaderFields { state_root: tabchain_primitives::StateRoot::ZERO, ..theirs[30].header.fields() };
    let liar = Block { header: solve(Header::new(lie)), transactions: Vec::new() };

    archive.chain.expect_branch(&genesis(&archive.chain));
    for block in theirs[..30].iter().chain([&liar]) {
        archive.chain.insert_header(block.header, LATE).expect("the header is good");
        archive.blocks.insert(block.hash(), block.clone());
        archive.chain.mark_body(&block.hash());
    }
    archive.chain.end_branch();
    // On the way a header comes that would push out whatever is beside the chains.
    let mut back = 0;
    while let Some(step) = archive.chain.next_step() {
        if matches!(step, Step::Disconnect(_)) {
            back += 1;
        }
        archive.follow(step);
        drop(archive.chain.insert_header(headers_on(&liar.header, 9, 1)[0], LATE));
    }
    assert_eq!(back, 60, "all of ours went, and all of theirs");
    assert_eq!(archive.chain.tip(), tip);
    assert!(ours.iter().all(|block| archive.chain.is_active(&block.hash())));
}
