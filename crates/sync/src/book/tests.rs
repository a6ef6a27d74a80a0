use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_assert, prop_oneof, proptest};

use super::*;

fn peer(n: u32) -> PeerId {
    PeerId::new(&n.to_be_bytes()).unwrap()
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn address() -> Vec<PeerAddress> {
    vec![PeerAddress::new("/here").unwrap()]
}

fn good(last_good: u64) -> GoodPeer {
    GoodPeer { standing: Standing::Greeted, last_good: at(last_good), addresses: address() }
}

/// A peer that was found and has earned this.
fn earn(book: &mut PeerBook, n: u32, standing: Standing, now: u64) {
    book.add(peer(n), address(), Source::Found, at(now));
    book.good(peer(n), None, standing, at(now)).expect("nothing is held against it");
}

fn standing(book: &PeerBook, n: u32) -> Option<Standing> {
    book.peers.get(&peer(n)).and_then(Entry::standing)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap()
}

#[test]
fn a_peer_that_does_not_answer_is_dialled_ever_more_rarely() {
    let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
    book.add(peer(1), address(), Source::Found, at(0));
    let mut waits = Vec::new();
    let mut now = at(0);
    for _ in 0..3 {
        assert!(book.pick(now, &mut rng, |_| false).is_some());
        assert!(book.pick(now, &mut rng, |_| false).is_none());
        let next = book.next_retry(|_| false).unwrap();
        waits.push(next.since(now));
        now = next;
    }
    assert_eq!(waits, [5_000, 10_000, 20_000]);
}

#[test]
fn one_peers_hearsay_fills_only_its_share() {
    let mut book = PeerBook::default();
    for n in 0..1_000 {
        book.add(peer(n), address(), Source::Told(peer(9_999)), at(0));
    }
    assert_eq!(book.shelves(), (0, MAX_TOLD_BY_ONE));
}

#[test]
fn many_liars_crowd_out_each_other_and_not_what_was_found_or_tried() {
    let mut book = PeerBook::default();
    for n in 0..20 {
        book.add(peer(n), address(), Source::Found, at(0));
    }
    for n in 100..110 {
        book.remember(peer(n), good(1));
    }
    for liar in 0..50 {
        for n in 0..64 {
            book.add(peer(1_000 + 100 * liar + n), address(), Source::Told(peer(9_000 + liar)), at(0));
        }
    }
    assert_eq!(book.shelves(), (10, MAX_NEW));
    let there = |n: u32| book.peers.contains_key(&peer(n));
    assert!((100..110).all(there), "tried peers are out of reach");
    assert!((0..4).any(there), "what was found has its share, and no less than any liar");
    let said = |source| book.peers.values().filter(|entry| entry.source == source).count();
    assert!(said(Source::Found) + 1 >= said(Source::Told(peer(9_000))));
}

#[test]
fn a_relay_that_floods_pushes_out_only_what_it_said_itself() {
    let mut book = PeerBook::default();
    for n in 0..10 {
        book.add(peer(n), address(), Source::Told(peer(500)), at(0));
    }
    for n in 1_000..9_000 {
        book.add(peer(n), address(), Source::Found, at(0));
    }
    assert_eq!(book.shelves(), (0, MAX_NEW));
    assert!((0..10).all(|n| book.peers.contains_key(&peer(n))));
    book.add(peer(77), address(), Source::Told(peer(501)), at(0));
    assert!(book.peers.contains_key(&peer(77)), "another source finds room");
}

#[test]
fn the_many_that_one_source_tells_of_are_no_likelier_dialled_than_the_few_of_another() {
    let mut rng = Rng::new([1; 32]);
    let mut few = 0;
    for _ in 0..200 {
        let mut book = PeerBook::default();
        book.add(peer(1), address(), Source::Told(peer(500)), at(0));
        for n in 100..164 {
            book.add(peer(n), address(), Source::Told(peer(501)), at(0));
        }
        let (first, _) = book.pick(at(0), &mut rng, |_| false).unwrap();
        few += usize::from(first == peer(1));
    }
    assert!((70..130).contains(&few), "{few} of 200");
}

#[test]
fn of_too_many_good_peers_the_one_good_longest_ago_is_forgotten() {
    let mut book = PeerBook::default();
    for n in 0..count(MAX_TRIED) {
        book.remember(peer(n), good(10 + u64::from(n)));
    }
    assert!(book.take_forgotten().is_empty());
    book.add(peer(7_000), address(), Source::Found, at(9_999));
    assert!(book.good(peer(7_000), None, Standing::Greeted, at(9_999)).is_some());
    assert_eq!(book.take_forgotten(), [peer(0)]);
    assert_eq!(book.shelves().0, MAX_TRIED);
}

#[test]
fn only_good_peers_are_told_and_never_a_peer_about_itself() {
    let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
    for n in 0..4 {
        book.add(peer(n), address(), Source::Found, at(0));
    }
    book.good(peer(1), None, Standing::Greeted, at(5));
    book.good(peer(2), None, Standing::Greeted, at(5));
    let told: Vec<_> = book.tell(&mut rng, 10, &peer(2)).into_iter().map(|record| record.id).collect();
    assert_eq!(told, [peer(1)]);
}

#[test]
fn after_sleep_all_may_be_dialled_at_once_but_who_lied() {
    let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
    book.add(peer(1), address(), Source::Found, at(0));
    book.add(peer(2), address(), Source::Found, at(0));
    book.dislike(peer(2), Regard::Shunned, at(0));
    let mut picks = |book: &mut PeerBook, now| book.pick(now, &mut rng, |_| false).map(|(id, _)| id);
    assert_eq!(picks(&mut book, at(0)), Some(peer(1)));
    assert_eq!(picks(&mut book, at(1)), None);
    book.hurry(at(1));
    assert_eq!(picks(&mut book, at(1)), Some(peer(1)));
    assert_eq!(picks(&mut book, at(1)), None);
}

#[test]
fn a_peer_that_is_found_again_is_dialled_soon() {
    let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
    book.add(peer(1), address(), Source::Found, at(0));
    let mut now = at(0);
    for _ in 0..8 {
        assert!(book.pick(now, &mut rng, |_| false).is_some());
        now = book.next_retry(|_| false).unwrap();
    }
    assert!(book.pick(now, &mut rng, |_| false).is_some());
    assert!(book.next_retry(|_| false).unwrap().since(now) > FOUND_RETRY_MS);
    book.add(peer(1), address(), Source::Found, now);
    assert_eq!(book.next_retry(|_| false), Some(now.saturating_add(FOUND_RETRY_MS)));
}

#[test]
fn a_discouraged_peer_is_dialled_last_and_a_shunned_one_not_at_all() {
    let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
    for n in 1..=3 {
        book.add(peer(n), address(), Source::Found, at(0));
        book.good(peer(n), None, Standing::Greeted, at(0));
    }
    book.dislike(peer(1), Regard::Discouraged, at(0));
    book.dislike(peer(2), Regard::Shunned, at(0));
    assert_eq!(book.take_forgotten(), [peer(1), peer(2)], "nothing good is remembered of them");
    let soon = at(60_000);
    let order: Vec<_> =
        std::iter::from_fn(|| book.pick(soon, &mut rng, |_| false)).map(|(id, _)| id).collect();
    assert_eq!(order, [peer(3), peer(1)]);
    assert_eq!(
        book.good(peer(2), None, Standing::Greeted, soon),
        None,
        "a hello does not make it good again at once"
    );
    assert_eq!(book.regard(&peer(2), soon), Some(Regard::Shunned));
    assert_eq!(book.regard(&peer(2), at(DISLIKE_MS)), None, "time does");
    assert!(book.pick(at(2 * DISLIKE_MS), &mut rng, |id| *id != peer(2)).is_some());
}

#[test]
fn a_feeler_goes_to_a_new_peer_or_to_a_tried_one() {
    let (mut book, mut rng) = (PeerBook::default(), Rng::new([0; 32]));
    book.remember(peer(1), good(1));
    book.remember(peer(2), good(1));
    book.add(peer(3), address(), Source::Told(peer(1)), at(0));
    let mut now = at(0);
    let mut felt = |tried_first, taken: fn(&PeerId) -> bool| {
        now = now.saturating_add(LAST_RETRY_MS);
        book.pick_to_feel(tried_first, now, &mut rng, taken).map(|(id, _)| id)
    };
    assert_eq!(felt(false, |_| false), Some(peer(3)));
    assert!(felt(true, |_| false) < Some(peer(3)));
    assert_eq!(felt(false, |id| *id != peer(1)), Some(peer(1)), "no new one is left");
    assert_eq!(felt(true, |id| *id != peer(3)), Some(peer(3)), "no tried one is left");
}

#[test]
fn who_is_let_go_again_and_again_comes_back_ever_more_rarely() {
    let mut book = PeerBook::default();
    book.add(peer(1), address(), Source::Found, at(0));
    let mut now = at(0);
    let mut wait_after = |lasted| {
        book.good(peer(1), None, Standing::Greeted, now);
        book.parted(&peer(1), lasted, now);
        let next = book.next_retry(|_| false).unwrap();
        let wait = next.since(now);
        now = next;
        wait
    };
    let waits: Vec<_> = [100, 100, 100, 100].map(&mut wait_after).into();
    assert_eq!(waits, [5_000, 10_000, 20_000, 40_000]);
    assert_eq!(wait_after(LASTING_MS), 5_000, "one that lasted makes up for them");
}

#[test]
fn any_number_of_liars_leaves_the_book_within_its_bounds() {
    let mut book = PeerBook::default();
    for n in 0..5_000 {
        book.dislike(peer(n), Regard::Shunned, at(u64::from(n)));
    }
    assert_eq!(book.disliked.len(), MAX_DISLIKED);
    assert!(book.regard(&peer(4_999), at(5_000)).is_some() && book.is_empty());
}

#[test]
fn names_that_only_say_hello_push_out_each_other_and_nobody_who_proved_itself() {
    let mut book = PeerBook::default();
    earn(&mut book, 1, Standing::Guest, 0);
    earn(&mut book, 2, Standing::Chosen, 0);
    for _ in 0..10 * MAX_MISSES {
        book.missed(&peer(1));
        book.missed(&peer(2));
    }
    for n in 1_000..3_000 {
        earn(&mut book, n, Standing::Greeted, u64::from(n));
    }
    assert_eq!(book.shelves(), (MAX_TRIED, 0));
    assert_eq!([1, 2].map(|n| standing(&book, n)), [Some(Standing::Guest), Some(Standing::Chosen)]);
}

#[test]
fn who_was_only_greeted_makes_way_within_the_largest_source() {
    let mut book = PeerBook::default();
    for n in 0..100 {
        book.remember(peer(n), good(1));
    }
    for n in 1_000..3_000 {
        earn(&mut book, n, Standing::Greeted, u64::from(n));
    }
    let there = (0..100).filter(|n| book.peers.contains_key(&peer(*n))).count();
    assert_eq!(there, 100, "the crowd is of another source, and has more than they");
}

#[test]
fn a_standing_rises_and_does_not_fall() {
    let mut book = PeerBook::default();
    let steps = [Standing::Greeted, Standing::Guest, Standing::Greeted, Standing::Chosen, Standing::Guest];
    let had = steps.map(|step| {
        earn(&mut book, 1, step, 5);
        standing(&book, 1).unwrap()
    });
    assert_eq!(
        had,
        [Standing::Greeted, Standing::Guest, Standing::Guest, Standing::Chosen, Standing::Chosen]
    );
    book.dislike(peer(1), Regard::Discouraged, at(6));
    assert_eq!((standing(&book, 1), book.take_forgotten()), (None, vec![peer(1)]), "but all at once");
}

#[test]
fn a_newcomer_rises_when_there_is_a_place_or_somebody_no_longer_answers() {
    for (standing_of, most) in [(Standing::Guest, MAX_GUESTS), (Standing::Chosen, MAX_CHOSEN)] {
        let mut book = PeerBook::default();
        for n in 0..count(most) {
            earn(&mut book, n, standing_of, 100 - u64::from(n % 100));
        }
        earn(&mut book, 900, standing_of, 200);
        assert_eq!(standing(&book, 900), Some(Standing::Greeted), "all of them may still answer");
        for n in [3, 4] {
            (0..MAX_MISSES).for_each(|_| book.missed(&peer(n)));
        }
        earn(&mut book, 3, Standing::Greeted, 300);
        earn(&mut book, 900, standing_of, 400);
        assert_eq!(standing(&book, 900), Some(standing_of));
        assert_eq!(book.take_forgotten(), [peer(4)], "the other did answer at last");
    }
}

#[test]
fn a_crowd_is_no_likelier_dialled_or_told_of_than_the_few_that_proved_themselves() {
    let (mut book, mut rng) = (PeerBook::default(), Rng::new([2; 32]));
    earn(&mut book, 1, Standing::Guest, 0);
    earn(&mut book, 2, Standing::Chosen, 0);
    for n in 1_000..1_200 {
        earn(&mut book, n, Standing::Greeted, 0);
    }
    let mut proven = 0;
    for round in 1..=300 {
        let now = at(round * LAST_RETRY_MS);
        let (id, _) = book.pick(now, &mut rng, |_| false).unwrap();
        proven += usize::from(id < peer(1_000));
        for n in [1, 2] {
            book.parted(&peer(n), LASTING_MS, now);
        }
    }
    assert!((160..240).contains(&proven), "{proven} of 300");
    let told = book.tell(&mut rng, 16, &peer(0));
    assert_eq!(told.len(), 16);
    assert!([1, 2].iter().all(|n| told.iter().any(|record| record.id == peer(*n))));
}

#[test]
fn a_book_is_the_same_after_it_was_written_down() {
    let mut book = PeerBook::default();
    let mut rows = BTreeMap::new();
    for n in 0..count(MAX_TRIED) {
        let earned = [Standing::Greeted, Standing::Guest, Standing::Chosen, Standing::Chosen][n as usize % 4];
        book.add(peer(n), address(), Source::Found, at(1));
        rows.extend(book.good(peer(n), None, earned, at(1)).map(|good| (peer(n), good)));
    }
    let mut again = PeerBook::default();
    for (id, good) in rows {
        again.remember(id, good);
    }
    assert_eq!(again.shelves(), book.shelves());
    assert!((0..count(MAX_TRIED)).all(|n| standing(&again, n) == standing(&book, n)));
}

/// The first of the names that an attacker makes up; all before are of honest peers.
const MADE_UP: u32 = 1_000;

/// What an attacker can bring about, under any number of names.
#[derive(Clone, Debug)]
enum Deed {
    Listed(u32),
    Told(u32, u32),
    Greets(u32),
    Earns(u32, Standing),
    Goes(u32, u64),
    IsMissed(u32),
    IsDisliked(u32),
    TimePasses(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let name = MADE_UP..MADE_UP + 600;
    let earned = prop_oneof![Just(Standing::Guest), Just(Standing::Chosen)];
    prop_oneof![
        name.clone().prop_map(Deed::Listed),
        (name.clone(), 0..MADE_UP).prop_map(|(by, n)| Deed::Told(by, MADE_UP + n)),
        name.clone().prop_map(Deed::Greets),
        (name.clone(), earned).prop_map(|(n, earned)| Deed::Earns(n, earned)),
        (name.clone(), 0..2 * LASTING_MS).prop_map(|(n, lasted)| Deed::Goes(n, lasted)),
        name.clone().prop_map(Deed::IsMissed),
        name.prop_map(Deed::IsDisliked),
        (0..LAST_RETRY_MS).prop_map(Deed::TimePasses),
    ]
}

fn happens(book: &mut PeerBook, deed: &Deed, now: &mut Timestamp) {
    match *deed {
        Deed::Listed(n) => book.add(peer(n), address(), Source::Found, *now),
        Deed::Told(by, n) => book.add(peer(n), address(), Source::Told(peer(by)), *now),
        Deed::Greets(n) => {
            book.good(peer(n), Some(&address()[0]), Standing::Greeted, *now);
        }
        Deed::Earns(n, earned) => {
            book.good(peer(n), Some(&address()[0]), earned, *now);
        }
        Deed::Goes(n, lasted) => book.parted(&peer(n), lasted, *now),
        Deed::IsMissed(n) => book.missed(&peer(n)),
        Deed::IsDisliked(n) => book.dislike(peer(n), Regard::Shunned, *now),
        Deed::TimePasses(millis) => *now = now.saturating_add(millis),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_an_attacker_does_those_who_proved_themselves_and_answer_stay(
        guests in 0..=count(MAX_GUESTS),
        chosen in 0..=count(MAX_CHOSEN),
        deeds in prop::collection::vec(deed(), 0..1_200),
    ) {
        let (mut book, mut now) = (PeerBook::default(), at(1));
        let of = |n| if n < guests { Standing::Guest } else { Standing::Chosen };
        (0..guests + chosen).for_each(|n| earn(&mut book, n, of(n), 1));
        for deed in deeds {
            happens(&mut book, &deed, &mut now);
            let (tried, new) = book.shelves();
            prop_assert!(tried <= MAX_TRIED && new <= MAX_NEW);
        }
        prop_assert!((0..guests + chosen).all(|n| standing(&book, n) == Some(of(n))));
        prop_assert!(book.take_forgotten().iter().all(|id| *id >= peer(MADE_UP)));
    }

    #[test]
    fn whatever_names_only_say_even_those_who_do_not_answer_now_stay(
        chosen in 0..=count(MAX_CHOSEN),
        deeds in prop::collection::vec(deed(), 0..1_200),
    ) {
        let (mut book, mut now) = (PeerBook::default(), at(1));
        (0..chosen).for_each(|n| earn(&mut book, n, Standing::Chosen, 1));
        (0..chosen).for_each(|n| (0..9).for_each(|_| book.missed(&peer(n))));
        for deed in deeds.into_iter().filter(|deed| !matches!(deed, Deed::Earns(..))) {
            happens(&mut book, &deed, &mut now);
        }
        prop_assert!((0..chosen).all(|n| standing(&book, n) == Some(Standing::Chosen)));
    }
}
