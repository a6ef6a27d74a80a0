//! One connection's fetch: nothing at all before the session is there.

use std::task::{Context, Poll};

use either::Either;
use futures::future;
use libp2p::core::upgrade::DeniedUpgrade;
use libp2p::request_response;
use libp2p::swarm::handler::{
    ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound, ListenUpgradeError,
};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, NetworkBehaviour, SubstreamProtocol};

use super::codec::Codec;

/// libp2p's own handler of requests.
pub(super) type Serving = <request_response::Behaviour<Codec> as NetworkBehaviour>::ConnectionHandler;

/// What the behaviour tells a connection's fetch.
pub(crate) enum Order {
    /// The session runs here: serve from now on.
    Serve(Box<Serving>),
    /// Something for whoever serves.
    Inner(<Serving as ConnectionHandler>::FromBehaviour),
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Serve(_) => f.write_str("Serve"),
            Self::Inner(order) => f.debug_tuple("Inner").field(order).finish(),
        }
    }
}

/// Supports no protocol until it is given a handler that does.
#[derive(Default)]
pub(crate) struct Handler {
    serving: Option<Serving>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Order;
    type ToBehaviour = <Serving as ConnectionHandler>::ToBehaviour;
    type InboundProtocol = Either<<Serving as ConnectionHandler>::InboundProtocol, DeniedUpgrade>;
    type OutboundProtocol = <Serving as ConnectionHandler>::OutboundProtocol;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        match &self.serving {
            Some(serving) => serving.listen_protocol().map_upgrade(Either::Left),
            None => SubstreamProtocol::new(Either::Right(DeniedUpgrade), ()),
        }
    }

    fn connection_keep_alive(&self) -> bool {
        self.serving.as_ref().is_some_and(ConnectionHandler::connection_keep_alive)
    }

    fn on_behaviour_event(&mut self, order: Order) {
        match (order, &mut self.serving) {
            (Order::Serve(serving), _) => self.serving = Some(*serving),
            (Order::Inner(order), Some(serving)) => serving.on_behaviour_event(order),
            (Order::Inner(_), None) => {}
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        self.serving.as_mut().map_or(Poll::Pending, |serving| serving.poll(cx))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.serving.as_mut().map_or(Poll::Ready(None), |serving| serving.poll_close(cx))
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        let Some(serving) = &mut self.serving else { return };
        serving.on_connection_event(match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, info }) => {
                let future::Either::Left(protocol) = protocol;
                ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, info })
            }
            ConnectionEvent::ListenUpgradeError(ListenUpgradeError { error, info }) => {
                let Either::Left(error) = error;
                ConnectionEvent::ListenUpgradeError(ListenUpgradeError { error, info })
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info }) => {
                ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info })
            }
            ConnectionEvent::DialUpgradeError(error) => ConnectionEvent::DialUpgradeError(error),
            ConnectionEvent::AddressChange(change) => ConnectionEvent::AddressChange(change),
            ConnectionEvent::LocalProtocolsChange(change) => ConnectionEvent::LocalProtocolsChange(change),
            ConnectionEvent::RemoteProtocolsChange(change) => ConnectionEvent::RemoteProtocolsChange(change),
            _ => return,
        });
    }
}
