//! Every message there and back, the bounds at their last value, and the form of the bytes frozen.

use sha2::{Digest, Sha256};
use tabchain_primitives::codec::{Decode, DecodeError, Encode};
use tabchain_primitives::{
    AccountNonce, Action, Address, Amount, Anchor, BlockHash, CompactTarget, Header, HeaderFields, Height,
    HistoryRoot, MerkleRoot, PublicKey, Signature, StateRoot, Timestamp, Transaction, TxId, U256,
    UnsignedTransaction, Work,
};

use super::*;
use crate::{PeerAddress, PeerId};

fn header() -> Header {
    Header::new(HeaderFields {
        version: 1,
        height: Height::new(7),
        parent: BlockHash::from_bytes([1; 32]),
        miner: Address::from_bytes([2; 20]),
        tx_count: 2,
        tx_root: MerkleRoot::from_bytes([3; 32]),
        state_root: StateRoot::from_bytes([4; 32]),
        history_root: HistoryRoot::from_bytes([5; 32]),
        time: Timestamp::from_millis(6),
        target: CompactTarget::from_bits(0x1f00_ffff),
        nonce: 8,
    })
}

fn transaction() -> Transaction {
    let action = Action::Anchor(Anchor::new("topic", vec![1, 2, 3]).expect("within bounds"));
    let sender = PublicKey::from_bytes([9; 32]);
    UnsignedTransaction::new(sender, AccountNonce::ZERO, Height::new(9), Amount::ONE_TAB, action)
        .expect("within bounds")
        .with_signature(Signature::from_bytes([10; 64]))
}

fn claim() -> TipClaim {
    TipClaim { hash: header().hash(), height: Height::new(7), work: Work::new(U256::from(77)) }
}

fn messages() -> Vec<Message> {
    let hello = Hello {
        version: PROTOCOL_VERSION,
        genesis: BlockHash::from_bytes([1; 32]),
        session: 2,
        tip: claim(),
        keeps: Keeps { until: Height::new(3), from: Height::new(5) },
        time: Timestamp::from_millis(12),
        agent: "tabchain/0".to_owned(),
    };
    let block = CompactBlock {
        header: header(),
        salt: 5,
        short_ids: vec![ShortId([1, 2, 3, 4, 5, 6])],
        prefilled: vec![Prefilled { position: 1, transaction: transaction() }],
    };
    let record = PeerRecord {
        id: PeerId::new(b"peer").expect("short"),
        addresses: vec![PeerAddress::new("/ip4/127.0.0.1").expect("short")],
    };
    let (hash, tx) = (header().hash(), TxId::from_bytes([11; 32]));
    let request = |request| Message::Request(RequestId(3), request);
    let response = |response| Message::Response(RequestId(3), response);
    vec![
        Message::Link(LinkMessage::Hello(hello)),
        Message::Link(LinkMessage::Block(Box::new(block))),
        Message::Link(LinkMessage::Tip(claim())),
        Message::Link(LinkMessage::Transactions(vec![tx])),
        Message::Link(LinkMessage::GetTransactions),
        Message::Link(LinkMessage::GetPeers),
        Message::Link(LinkMessage::Peers(vec![record])),
        Message::Link(LinkMessage::Keeps(Keeps { until: Height::GENESIS, from: Height::new(4) })),
        request(Request::Headers { locator: vec![hash], limit: 2_000 }),
        request(Request::Bodies(vec![hash])),
        request(Request::BlockTransactions { block: hash, positions: vec![0, 300] }),
        request(Request::Transactions(vec![tx])),
        request(Request::Snapshots),
        request(Request::StateChunks { block: hash, first_bytes: vec![0, 7, 255] }),
        response(Response::Headers(vec![header()])),
        response(Response::Bodies(vec![Body { hash, bytes: vec![0] }])),
        response(Response::BlockTransactions(vec![transaction()])),
        response(Response::Transactions(vec![transaction()])),
        response(Response::Snapshots(vec![hash])),
        response(Response::StateChunks(vec![Chunk { first_byte: 7, bytes: vec![8, 7, 0, 0, 0] }])),
        Message::RequestFailed(RequestId(3), Failure::Busy),
    ]
}

#[test]
fn every_message_comes_back_and_nothing_shorter_or_longer_does() {
    for message in messages() {
        let bytes = message.to_bytes();
        assert_eq!(Message::from_bytes(&bytes), Ok(message.clone()));
        assert!((0..bytes.len()).all(|length| Message::from_bytes(&bytes[..length]).is_err()), "{message:?}");
        let longer = [bytes, vec![0]].concat();
        assert!(Message::from_bytes(&longer).is_err(), "{message:?}");
    }
}

#[test]
fn the_form_is_frozen() {
    let bytes: Vec<u8> = messages().iter().flat_map(Encode::to_bytes).collect();
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    assert_eq!(
        TxId::from_bytes(digest).to_string(),
        "2a5db0bce2eab2900131fc5d25059cd36d76518599f728d17e036854c9702ab1"
    );
}

#[test]
fn lists_end_at_their_bounds() {
    let ids = |count: usize| LinkMessage::Transactions(vec![TxId::ZERO; count]).to_bytes();
    assert!(LinkMessage::from_bytes(&ids(MAX_TRANSACTION_IDS)).is_ok());
    assert!(matches!(
        LinkMessage::from_bytes(&ids(MAX_TRANSACTION_IDS + 1)),
        Err(DecodeError::Length { .. })
    ));
    assert!(LinkMessage::from_bytes(&ids(0)).is_err(), "an announcement of nothing is none");

    let headers = |count: usize| Response::Headers(vec![header(); count]).to_bytes();
    assert!(Response::from_bytes(&headers(MAX_HEADERS)).is_ok());
    assert!(Response::from_bytes(&headers(MAX_HEADERS + 1)).is_err());
    assert!(headers(MAX_HEADERS).len() <= MAX_RESPONSE_BYTES);

    let body = |bytes: usize| {
        Response::Bodies(vec![Body { hash: BlockHash::ZERO, bytes: vec![0; bytes] }]).to_bytes()
    };
    assert!(Response::from_bytes(&body(MAX_BODY_BYTES)).is_ok());
    assert!(Response::from_bytes(&body(MAX_BODY_BYTES + 1)).is_err());
    assert!(body(MAX_BODY_BYTES).len() + RESPONSE_BUDGET <= MAX_RESPONSE_BYTES);

    let chunk = |bytes| Chunk { first_byte: 0, bytes: vec![0; bytes] };
    let chunks = |count, bytes| Response::StateChunks(vec![chunk(bytes); count]).to_bytes();
    assert!(Response::from_bytes(&chunks(MAX_CHUNKS, 1)).is_ok());
    assert!(Response::from_bytes(&chunks(MAX_CHUNKS + 1, 1)).is_err());
    assert!(Response::from_bytes(&chunks(1, MAX_CHUNK_BYTES)).is_ok());
    assert!(Response::from_bytes(&chunks(1, MAX_CHUNK_BYTES + 1)).is_err());
    assert!(chunks(1, MAX_CHUNK_BYTES).len() + RESPONSE_BUDGET <= MAX_RESPONSE_BYTES);
    let snapshots = |count| Response::Snapshots(vec![BlockHash::ZERO; count]).to_bytes();
    assert!(Response::from_bytes(&snapshots(MAX_SNAPSHOTS)).is_ok());
    assert!(Response::from_bytes(&snapshots(MAX_SNAPSHOTS + 1)).is_err());

    let every: Vec<u32> = (0..).take(MAX_NAMED_TRANSACTIONS).collect();
    let largest = Request::BlockTransactions { block: BlockHash::ZERO, positions: every }.to_bytes();
    assert!(Request::from_bytes(&largest).is_ok() && largest.len() <= MAX_REQUEST_BYTES);
}

#[test]
fn a_bogus_length_costs_nothing() {
    // A count that names more items than there are bytes fails before anything is allocated for them.
    let mut bytes = vec![3];
    tabchain_primitives::codec::write_varint(&mut bytes, 256);
    assert_eq!(LinkMessage::from_bytes(&bytes), Err(DecodeError::UnexpectedEnd));
}

#[test]
fn positions_and_first_bytes_rise() {
    let request = |positions| Request::BlockTransactions { block: BlockHash::ZERO, positions }.to_bytes();
    assert!(Request::from_bytes(&request(vec![1, 2])).is_ok());
    for unordered in [vec![2, 1], vec![1, 1]] {
        assert!(matches!(Request::from_bytes(&request(unordered)), Err(DecodeError::NotCanonical(_))));
    }
    let request = |first_bytes| Request::StateChunks { block: BlockHash::ZERO, first_bytes }.to_bytes();
    assert!(Request::from_bytes(&request(vec![1, 2])).is_ok());
    for unordered in [vec![2, 1], vec![1, 1]] {
        assert!(matches!(Request::from_bytes(&request(unordered)), Err(DecodeError::NotCanonical(_))));
    }
}
