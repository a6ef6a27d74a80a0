//! How bytes reach a peer: `/webrtc` first, then circuits, then sockets.

use std::error::Error;

use either::Either;
use libp2p::core::Transport as _;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport, TransportError};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::DialError;
use libp2p::{PeerId, noise, relay, yamux};
use libp2p_webrtc_browser as webrtc;

use crate::NetError;

/// Puts the transports together. `/webrtc` comes first: the relay's transport would take such an address for its own.
pub(crate) fn build(
    key: &Keypair,
    webrtc: webrtc::Transport,
    circuits: relay::client::Transport,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, NetError> {
    let secured = OrTransport::new(circuits, imp::sockets().map_err(NetError::Names)?)
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key)?)
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let direct = webrtc.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let all = OrTransport::new(direct, secured).map(|either, _| either.into_inner());
    Ok(all.map_err(Failure::from).boxed())
}

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Direct(webrtc::Error),
    #[error("{0}")]
    Other(Box<dyn Error + Send + Sync>),
}

impl<E: Error + Send + Sync + 'static> From<Either<webrtc::Error, E>> for Failure {
    fn from(error: Either<webrtc::Error, E>) -> Self {
        match error {
            Either::Left(direct) => Self::Direct(direct),
            Either::Right(other) => Self::Other(other.into()),
        }
    }
}

/// Why a direct connection failed, if that is what was dialled.
pub(crate) fn direct_failure(error: &DialError) -> Option<&webrtc::Error> {
    let DialError::Transport(failures) = error else { return None };
    failures.iter().find_map(|(_, failure)| match failure {
        TransportError::Other(error) => match error.get_ref()?.downcast_ref()? {
            Failure::Direct(direct) => Some(direct),
            Failure::Other(_) => None,
        },
        TransportError::MultiaddrNotSupported(_) => None,
    })
}

pub(crate) use imp::{DISCOVERED, executor};

#[cfg(target_arch = "wasm32")]
mod imp {
    use std::io;

    use libp2p::core::Transport;
    use libp2p::{swarm, websocket_websys};
    use libp2p_webrtc_browser::Path;

    use crate::watched::Watched;

    type Dialled = Watched<websocket_websys::Connection>;

    /// The path by which peers that a relay tells of are dialled.
    pub(crate) const DISCOVERED: Path = Path::WebRtc;

    #[expect(clippy::unnecessary_wraps, reason = "elsewhere the system's name servers may be unreadable")]
    pub(crate) fn sockets() -> io::Result<
        impl Transport<Output = Dialled, Dial: Send, ListenerUpgrade: Send, Error: Send + Sync> + Send + Unpin,
    > {
        Ok(websocket_websys::Transport::default().map(|socket, _| Watched::new(socket)))
    }

    pub(crate) fn executor() -> swarm::Config {
        swarm::Config::with_wasm_executor()
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    use std::io;

    use libp2p::core::transport::OrTransport;
    use libp2p::{dns, swarm, tcp, websocket};
    use libp2p_webrtc_browser::Path;

    /// The path by which peers that a relay tells of are dialled: a native node has no `/webrtc`.
    pub(crate) const DISCOVERED: Path = Path::Other;

    type Names = dns::tokio::Transport<tcp::tokio::Transport>;

    pub(crate) fn sockets() -> io::Result<OrTransport<websocket::Config<Names>, Names>> {
        let names = || {
            dns::tokio::Transport::system(tcp::tokio::Transport::new(tcp::Config::default().nodelay(true)))
        };
        Ok(OrTransport::new(websocket::Config::new(names()?), names()?))
    }

    pub(crate) fn executor() -> swarm::Config {
        swarm::Config::with_tokio_executor()
    }
}
