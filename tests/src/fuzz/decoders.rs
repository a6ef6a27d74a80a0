//! What peers send: decoded canonically or not at all, and then judged without a panic.

use tabchain_chain::Prefix;
use tabchain_consensus::{
    CheckedBlock, CheckedTransaction, SignatureChecks, Verdict, check_hashed_header, check_header,
    verify_batch, verify_each,
};
use tabchain_primitives::{
    Action, Anchor, Block, Decode, Encode, HEADER_BYTES, Header, Height, Timestamp, Transaction,
    codec::write_list,
};
use tabchain_sync::book::{GoodPeer, Standing};
use tabchain_sync::{
    Body, Chunk, CompactBlock, Failure, Hello, Keeps, LinkMessage, MAX_LINK_BYTES, MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES, Message, PROTOCOL_VERSION, PeerAddress, PeerId, PeerRecord, Request, RequestId,
    Response, TipClaim,
};

use super::world::{BLOCKS, chain, payments, spec};

/// More signatures than this are not checked twice.
const FEW: usize = 16;

/// The value, if the bytes are one; then they are its only form.
pub(super) fn canonical<T: Decode + Encode>(bytes: &[u8]) -> Option<T> {
    let value = T::from_bytes(bytes).ok()?;
    assert_eq!(value.to_bytes(), bytes, "there is one byte form of every value");
    assert!(bytes.len() >= T::MIN_BYTES, "no value is shorter than the least of its type");
    Some(value)
}

pub(super) fn transaction(bytes: &[u8]) -> bool {
    let Some(read) = canonical::<Transaction>(bytes) else { return false };
    assert_eq!(read.size(), bytes.len());
    let outputs = read.action().outputs().iter().map(tabchain_primitives::Output::amount);
    let total = tabchain_primitives::Amount::checked_sum(outputs.chain([read.fee()]));
    assert_eq!(total, Some(read.total()));
    if let Ok(checked) = CheckedTransaction::check(&spec(), read.clone()) {
        assert_eq!((checked.id(), checked.witness_hash()), (read.unsigned().id(), read.witness_hash()));
        agree(&checked.signatures(&spec().genesis_hash()));
    }
    true
}

pub(super) fn header(bytes: &[u8]) -> bool {
    let Some(header) = canonical::<Header>(bytes) else { return false };
    assert_eq!(bytes.len(), HEADER_BYTES);
    assert_eq!(header.to_array(), bytes);
    let genesis = *spec().genesis_header();
    for (parent, grandparent) in
        [(genesis, None), (BLOCKS.all[0].0.header, Some(&genesis)), (header, Some(&header))]
    {
        for now in [Timestamp::ZERO, header.time(), Timestamp::from_millis(u64::MAX)] {
            assert_eq!(
                check_header(&spec(), &header, &parent, grandparent, now),
                check_hashed_header(&spec(), &header, &header.hash(), &parent, grandparent, now),
            );
        }
    }
    true
}

pub(super) fn block(bytes: &[u8]) -> bool {
    let Some(block) = canonical::<Block>(bytes) else { return false };
    if let Ok(checked) = CheckedBlock::check(&spec(), block.clone()) {
        assert_eq!((checked.hash(), checked.ids().len()), (block.hash(), block.transactions.len()));
        agree(&checked.signatures(&spec().genesis_hash()));
    }
    true
}

pub(super) fn signatures(bytes: &[u8]) -> bool {
    canonical::<SignatureChecks>(bytes).inspect(agree).is_some()
}

/// What a worker says of signatures.
pub(super) fn verdict(bytes: &[u8]) -> bool {
    canonical::<Verdict>(bytes).is_some()
}

pub(super) fn verdicts() -> Vec<Vec<u8>> {
    [Verdict::AllValid, Verdict::Invalid { index: 0 }, Verdict::Invalid { index: 300 }]
        .iter()
        .map(Encode::to_bytes)
        .collect()
}

/// A row of the peer book, as a disk gives it back.
pub(super) fn good_peer(bytes: &[u8]) -> bool {
    canonical::<GoodPeer>(bytes).is_some()
}

pub(super) fn good_peers() -> Vec<Vec<u8>> {
    let address = |text: &str| PeerAddress::new(text).expect("short");
    let addresses = vec![address("/memory/1"), address("/dns4/relay/tcp/443/wss")];
    let last_good = Timestamp::from_millis(1);
    let greeted = [vec![], addresses.clone()].map(|addresses| (Standing::Greeted, addresses));
    let proven = [Standing::Guest, Standing::Chosen].map(|standing| (standing, addresses.clone()));
    greeted
        .into_iter()
        .chain(proven)
        .map(|(standing, addresses)| GoodPeer { standing, last_good, addresses }.to_bytes())
        .collect()
}

/// A batch says what each says.
fn agree(checks: &SignatureChecks) {
    if checks.0.len() <= FEW {
        assert_eq!(verify_batch(checks, [9; 32]), verify_each(checks));
    }
}

pub(super) fn link(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_LINK_BYTES && canonical::<LinkMessage>(bytes).is_some()
}

pub(super) fn request(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_REQUEST_BYTES && canonical::<Request>(bytes).is_some()
}

pub(super) fn response(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_RESPONSE_BYTES && canonical::<Response>(bytes).is_some()
}

pub(super) fn message(bytes: &[u8]) -> bool {
    canonical::<Message>(bytes).is_some()
}

pub(super) fn transactions() -> Vec<Vec<u8>> {
    let anchor = Action::Anchor(Anchor::new("topic", b"some data".to_vec()).expect("in bounds"));
    let key = tabchain_chain::testing::Key::new(5);
    let nonce = tabchain_primitives::AccountNonce::new(300);
    let fee = tabchain_primitives::Amount::MAX;
    let unsigned =
        tabchain_primitives::UnsignedTransaction::new(key.public(), nonce, Height::new(9), fee, anchor);
    let anchored = key.sign(&spec(), unsigned.expect("in range"));
    payments(1).iter().chain([&anchored]).map(Encode::to_bytes).collect()
}

pub(super) fn headers() -> Vec<Vec<u8>> {
    let genesis = spec().genesis_header().to_bytes();
    BLOCKS.all[..2].iter().map(|(block, _)| block.header.to_bytes()).chain([genesis]).collect()
}

pub(super) fn blocks() -> Vec<Vec<u8>> {
    vec![BLOCKS.all[0].0.to_bytes(), spec().genesis().to_bytes()]
}

pub(super) fn signature_lists() -> Vec<Vec<u8>> {
    let checked = CheckedBlock::check(&spec(), BLOCKS.all[1].0.clone()).expect("a good block");
    vec![checked.signatures(&spec().genesis_hash()).to_bytes(), SignatureChecks::default().to_bytes()]
}

pub(super) fn links() -> Vec<Vec<u8>> {
    let (block, work) = &BLOCKS.all[1];
    let tip = TipClaim { hash: block.hash(), height: block.header.height(), work: *work };
    let hello = Hello {
        version: PROTOCOL_VERSION,
        genesis: spec().genesis_hash(),
        session: 3,
        tip,
        keeps: Keeps { until: Height::new(1), from: Height::new(300) },
        time: block.header.time(),
        agent: "fuzz".into(),
    };
    let address = PeerAddress::new("/dns4/example/tcp/1").expect("short");
    let record = PeerRecord { id: PeerId::new(b"somebody").expect("short"), addresses: vec![address] };
    let ids = payments(0).iter().map(|payment| payment.unsigned().id()).collect();
    let said = [
        LinkMessage::Hello(hello),
        LinkMessage::Block(Box::new(CompactBlock::of(block, 7))),
        LinkMessage::Tip(tip),
        LinkMessage::Transactions(ids),
        LinkMessage::GetTransactions,
        LinkMessage::GetPeers,
        LinkMessage::Peers(vec![record]),
        LinkMessage::Keeps(Keeps { until: Height::GENESIS, from: Height::new(300) }),
    ];
    said.iter().map(Encode::to_bytes).collect()
}

fn asked() -> [Request; 6] {
    let hash = BLOCKS.all[0].0.hash();
    [
        Request::Headers { locator: vec![hash, spec().genesis_hash()], limit: 500 },
        Request::Bodies(vec![hash]),
        Request::BlockTransactions { block: hash, positions: vec![0, 1] },
        Request::Transactions(vec![payments(0)[0].unsigned().id()]),
        Request::Snapshots,
        Request::StateChunks { block: hash, first_bytes: vec![0, 128, 255] },
    ]
}

fn answered() -> [Response; 6] {
    let block = &BLOCKS.all[0].0;
    let chunk = chain().0.state_chunk(Prefix::byte(0)).to_bytes();
    let chunk = Chunk { first_byte: 0, bytes: chunk };
    [
        Response::Headers(BLOCKS.all[..3].iter().map(|(block, _)| block.header).collect()),
        Response::Bodies(vec![Body { hash: block.hash(), bytes: body(block) }]),
        Response::BlockTransactions(block.transactions.clone()),
        Response::Transactions(payments(0)),
        Response::Snapshots(vec![block.hash()]),
        Response::StateChunks(vec![chunk]),
    ]
}

/// The body of a block as it is sent.
pub(super) fn body(block: &Block) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_list(&mut bytes, &block.transactions);
    bytes
}

pub(super) fn requests() -> Vec<Vec<u8>> {
    asked().iter().map(Encode::to_bytes).collect()
}

pub(super) fn responses() -> Vec<Vec<u8>> {
    answered().iter().map(Encode::to_bytes).collect()
}

pub(super) fn messages() -> Vec<Vec<u8>> {
    let [question, ..] = asked();
    let [answer, ..] = answered();
    let crossing = [
        Message::Link(LinkMessage::GetPeers),
        Message::Request(RequestId(1), question),
        Message::Response(RequestId(2), answer),
        Message::RequestFailed(RequestId(3), Failure::Busy),
    ];
    crossing.iter().map(Encode::to_bytes).collect()
}
