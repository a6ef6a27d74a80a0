//! Multiaddresses of the relay.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use crate::config::{Config, Host};

/// The address browsers dial when they were told to reach the relay by `host`.
pub(crate) fn announced_address(config: &Config, host: &Host, listening: u16) -> Multiaddr {
    let port = match (config.announce_ws_port, config.behind_proxy) {
        (0, true) => 443,
        (0, false) => listening,
        (port, _) => port,
    };
    websocket_address(host, port, config.behind_proxy)
}

/// The TCP port in an address of [`websocket_address`]'s form.
pub(super) fn tcp_port(address: &Multiaddr) -> u16 {
    let port = |part| if let Protocol::Tcp(port) = part { Some(port) } else { None };
    address.iter().find_map(port).expect("the address was made with a TCP port")
}

/// `/ip4|ip6|dns/<host>/tcp/<port>[/tls]/ws`.
pub(super) fn websocket_address(host: &Host, port: u16, encrypted: bool) -> Multiaddr {
    let address = Multiaddr::empty().with(host.as_protocol()).with(Protocol::Tcp(port));
    let address = if encrypted { address.with(Protocol::Tls) } else { address };
    address.with(Protocol::Ws("/".into()))
}
