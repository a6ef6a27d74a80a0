//! What can be set, and its defaults.

use std::{fmt, sync::Arc, time::Duration};

use libp2p_identity::PeerId;

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:` URLs of the one server.
    pub urls: Vec<String>,
    /// The user name, for TURN.
    pub username: Option<String>,
    /// The password, for TURN.
    pub credential: Option<String>,
}

impl IceServer {
    /// A server that needs no credentials: STUN.
    pub fn open(url: impl Into<String>) -> Self {
        Self { urls: vec![url.into()], username: None, credential: None }
    }

    /// A server with a user name and a password: TURN.
    pub fn with_credentials(
        url: impl Into<String>,
        username: impl Into<String>,
        credential: impl Into<String>,
    ) -> Self {
        Self { urls: vec![url.into()], username: Some(username.into()), credential: Some(credential.into()) }
    }
}

/// Shows everything but the password.
impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

type IceServers = Arc<dyn Fn() -> Vec<IceServer> + Send + Sync>;

/// Settings of the transport and its behaviour.
#[derive(Clone)]
pub struct Config {
    pub(crate) local_peer: PeerId,
    pub(crate) ice_servers: IceServers,
    pub(crate) dial_timeout: Duration,
    pub(crate) linger: Duration,
    pub(crate) silence: Duration,
    pub(crate) patience: Duration,
    pub(crate) receive_buffer: usize,
    pub(crate) max_negotiations: usize,
    pub(crate) max_streams: usize,
}

impl Config {
    /// Defaults for a node with this identity: no ICE servers, so that only what the machine itself can see connects.
    pub fn new(local_peer: PeerId) -> Self {
        Self {
            local_peer,
            ice_servers: Arc::new(Vec::new),
            dial_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(10),
            silence: Duration::from_secs(5),
            patience: Duration::from_secs(3),
            receive_buffer: 4 << 20,
            max_negotiations: 32,
            max_streams: 1_020,
        }
    }

    /// Where to ask for ICE servers. It is called once for each connection, so that short-lived credentials are fresh.
    /// Browsers warn of five or more.
    #[must_use]
    pub fn with_ice_servers(mut self, provider: impl Fn() -> Vec<IceServer> + Send + Sync + 'static) -> Self {
        self.ice_servers = Arc::new(provider);
        self
    }

    /// How long opening the signalling stream may take, and how long the negotiation after that. Default: 10 s each.
    #[must_use]
    pub fn with_dial_timeout(mut self, timeout: Duration) -> Self {
        self.dial_timeout = timeout;
        self
    }

    /// How long a stream that was let go waits for the other side to end its half before it is reset; and how long one whose half
    /// we have ended waits for the other side to acknowledge that before it fails. Default: 10 s.
    #[must_use]
    pub fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// How long a connection may stay silent once the browser calls it disconnected, which Chromium does after about 5 s
    /// without an answer and Firefox after 5 to 12 s. Browsers give up by themselves later, Chromium after about 15 s in all.
    /// Default: 5 s.
    #[must_use]
    pub fn with_silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// How long a stream that we opened waits for a first answer before it begins anew on another channel, if it has said no
    /// more than which protocol it wants. Swarms give a stream ten seconds for that by themselves. Default: 3 s.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How many received bytes may wait for a reader on one stream, and a fourth of what may wait on one connection.
    /// The protocol has no flow control: a stream that exceeds it is reset. Other implementations keep up to 2 MiB on
    /// the way, so at least that is taken. Default: 4 MiB.
    #[must_use]
    pub fn with_receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = bytes.max(2 << 20);
        self
    }

    /// How many inbound connections may be in negotiation at once. Default: 32.
    #[must_use]
    pub fn with_max_negotiations(mut self, count: usize) -> Self {
        self.max_negotiations = count.max(1);
        self
    }

    /// How many streams that we opened may be alive at once on one connection; more wait for one to end. Firefox has 1,024
    /// channel numbers for each side (153), Chromium 32,767 (156); numbers of channels that are still closing count as
    /// well. Default: 1,020.
    #[must_use]
    pub fn with_max_streams(mut self, count: usize) -> Self {
        self.max_streams = count.max(1);
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("local_peer", &self.local_peer)
            .field("dial_timeout", &self.dial_timeout)
            .field("linger", &self.linger)
            .field("silence", &self.silence)
            .field("patience", &self.patience)
            .field("receive_buffer", &self.receive_buffer)
            .field("max_negotiations", &self.max_negotiations)
            .field("max_streams", &self.max_streams)
            .finish_non_exhaustive()
    }
}
