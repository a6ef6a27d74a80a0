//! A browser learns its own address over UDP, and a flood gets no more than its share.

mod support;

use std::num::NonZeroU32;

use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, Message, MessageWrite as _, MessageWriteVec};
use support::{PATIENCE, TestRelay};
use tokio::net::UdpSocket;

const ANSWERED: &str = r#"tabchain_relay_stun_packets_total{outcome="answered"}"#;
const LIMITED: &str = r#"tabchain_relay_stun_packets_total{outcome="limited"}"#;
const IGNORED: &str = r#"tabchain_relay_stun_packets_total{outcome="ignored"}"#;

async fn socket(relay: &TestRelay) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(&relay.relay.addresses().stun).await.unwrap();
    socket
}

fn request() -> Vec<u8> {
    Message::builder_request(BINDING, MessageWriteVec::new()).finish()
}

#[tokio::test]
async fn a_binding_request_is_answered_with_the_senders_address() {
    let relay = TestRelay::start(|_| ()).await;
    let socket = socket(&relay).await;
    socket.send(b"not STUN").await.unwrap();
    let request = request();
    socket.send(&request).await.unwrap();
    let mut answer = [0; 1500];
    let length = tokio::time::timeout(PATIENCE, socket.recv(&mut answer)).await.unwrap().unwrap();
    assert_eq!(length, 32);
    let (answer, asked) =
        (Message::from_bytes(&answer[..length]).unwrap(), Message::from_bytes(&request).unwrap());
    assert_eq!(answer.transaction_id(), asked.transaction_id());
    let mapped = answer.attribute::<XorMappedAddress>().unwrap();
    assert_eq!(mapped.addr(answer.transaction_id()), socket.local_addr().unwrap());
    assert_eq!((relay.metric(ANSWERED).await, relay.metric(IGNORED).await), (1, 1));
}

#[tokio::test]
async fn a_flood_is_answered_only_up_to_the_limit() {
    const FLOOD: u64 = 200;
    let relay = TestRelay::start(|config| config.max_stun_per_second = NonZeroU32::new(5).unwrap()).await;
    let socket = socket(&relay).await;
    for _ in 0..FLOOD {
        socket.send(&request()).await.unwrap();
    }
    let all_seen = async { while relay.metric(ANSWERED).await + relay.metric(LIMITED).await < FLOOD {} };
    tokio::time::timeout(PATIENCE, all_seen).await.expect("the relay looks at every packet");
    let answered = relay.metric(ANSWERED).await;
    // The flood may run over the end of a second, rarely of two.
    assert!((5..=15).contains(&answered), "{answered} of {FLOOD} were answered");
}
