//! What an operator can set, from where, and what is wrong with it when it is wrong.
//!
//! Every setting has one name in three places: `max_circuits` in the TOML file, `TABCHAIN_RELAY_MAX_CIRCUITS` in the
//! environment, `--max-circuits` on the command line. Later places win over earlier ones, and all win over the defaults.
//! A name that is no setting, or a value that can't be one, is an error that says which key and where it stands.

mod error;
mod values;

use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::{Deserialize, Serialize};

pub use error::{ConfigError, Origin};
pub use values::{Announce, BadHost, Host, LogFormat, Network};

/// What every environment variable of the relay starts with.
pub const ENV_PREFIX: &str = "TABCHAIN_RELAY_";

/// The environment variable that names the TOML file, as `--config` does.
pub const ENV_FILE: &str = "TABCHAIN_RELAY_CONFIG";

/// The shortest time for which a reservation may hold, in seconds: nodes give up a place that they have to renew at once.
const MIN_RESERVATION_SECONDS: u32 = 60;

/// Declares each setting once: its text, type and default become the configuration, the flags and the list of keys.
macro_rules! settings {
    ($( $(#[doc = $doc:literal])+ $(#[arg($($arg:tt)+)])? $key:ident : $kind:ty = $default:expr; )+) => {
        /// The relay's settings, complete and checked for their types.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Config { $( $(#[doc = $doc])+ pub $key: $kind, )+ }

        /// The settings given as flags; what is absent here is left to the environment, the file and the defaults.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, clap::Args)]
        pub struct Flags { $(
            $(#[doc = $doc])+
            #[arg(long, $($($arg)+)?)]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $key: Option<$kind>,
        )+ }

        impl Default for Config {
            fn default() -> Self {
                Self { $( $key: $default, )+ }
            }
        }

        impl Config {
            /// The name of every setting, in the order of the documentation.
            pub const KEYS: &[&str] = &[ $( stringify!($key), )+ ];
        }
    };
}

settings! {
    /// Which chain the tabs of this relay keep: `dev` or `test`
    network: Network = Network::Dev;
    /// The address to listen on; `0.0.0.0` or `::` for every one
    listen: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    /// TCP port of the page and the HTTP API; 0 picks a free one
    http_port: u16 = 8080;
    /// TCP port for libp2p over WebSocket; 0 picks a free one
    ws_port: u16 = 8081;
    /// UDP port for STUN; 0 picks a free one
    stun_port: u16 = 8082;
    /// The host name or IP address that browsers reach this relay by; `auto` takes it from the page's own URL
    announce: Announce = Announce::Auto;
    /// The port browsers reach libp2p by; 0 means the listening one, or 443 behind a proxy
    announce_ws_port: u16 = 0;
    /// A proxy in front speaks TLS for us: announce `wss` addresses
    #[arg(num_args = 0..=1, default_missing_value = "true")]
    behind_proxy: bool = false;
    /// Where the identity key is kept
    data_dir: PathBuf = default_data_dir();
    /// How log lines look: `text` or `json`
    log_format: LogFormat = LogFormat::Text;
    /// Which log lines are written, in the syntax of `RUST_LOG`
    log: String = "info".to_owned();
    /// How long open circuits may go on after the signal to stop, in seconds
    drain_seconds: u32 = 3;

    /// libp2p connections at once
    max_connections: NonZeroU32 = nonzero(4_096);
    /// libp2p connections of one peer at once
    max_connections_per_peer: NonZeroU32 = nonzero(4);
    /// libp2p connections that are still shaking hands
    max_pending_connections: NonZeroU32 = nonzero(256);
    /// Reservations held at once
    max_reservations: NonZeroU32 = nonzero(2_048);
    /// Reservations of one peer at once
    max_reservations_per_peer: NonZeroU32 = nonzero(2);
    /// How long a reservation holds before it must be renewed, in seconds
    reservation_seconds: NonZeroU32 = nonzero(3_600);
    /// Reservation requests of one peer in a minute
    max_reservation_requests_per_minute: NonZeroU32 = nonzero(30);
    /// Circuits open at once
    max_circuits: NonZeroU32 = nonzero(4_096);
    /// Circuits open at once from or to one peer
    max_circuits_per_peer: NonZeroU32 = nonzero(64);
    /// How long a circuit may stay open, in seconds
    circuit_seconds: NonZeroU32 = nonzero(600);
    /// Bytes that a circuit may carry, both directions together
    circuit_bytes: NonZeroU64 = nonzero_long(8 * 1024 * 1024);
    /// Bytes a second that one connection may send into its circuits, after a burst of 16 seconds' worth
    circuit_bytes_per_second: NonZeroU32 = nonzero(128 * 1024);
    /// Circuits that one peer may ask for in a minute
    max_circuit_requests_per_minute: NonZeroU32 = nonzero(240);
    /// Rendezvous registrations held at once
    max_registrations: NonZeroU32 = nonzero(4_096);
    /// Rendezvous registrations of one peer at once
    max_registrations_per_peer: NonZeroU32 = nonzero(2);
    /// STUN requests that one source (an IPv4 address or an IPv6 /64) may make in a second
    max_stun_per_second: NonZeroU32 = nonzero(200);
    /// STUN sources that are answered in one second
    max_stun_sources: NonZeroU32 = nonzero(4_096);
    /// HTTP connections at once
    max_http_connections: NonZeroU32 = nonzero(1_024);
}

impl Config {
    /// Reads the defaults, the file, the environment and the flags, in that order, and checks that they fit together.
    ///
    /// ```
    /// use tabchain_relay::config::{Config, Flags};
    ///
    /// let config = Config::load(&Flags { http_port: Some(0), ..Flags::default() }, None)?;
    /// assert_eq!(config.http_port, 0);
    /// # Ok::<(), tabchain_relay::config::ConfigError>(())
    /// ```
    pub fn load(flags: &Flags, file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut layers = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::FileUnreadable { path: path.to_owned(), source })?;
            layers = layers.merge(Toml::string(&text));
        }
        let layers =
            layers.merge(Env::prefixed(ENV_PREFIX).ignore(&["config"])).merge(Serialized::defaults(flags));
        let config: Self = layers.extract().map_err(|error| ConfigError::explain(error, &layers, file))?;
        config.check()?;
        Ok(config)
    }

    /// The effective settings as a TOML file that gives the same settings back.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a flat table of numbers, booleans and strings is always TOML")
    }

    /// How long a reservation holds.
    pub fn reservation_duration(&self) -> Duration {
        Duration::from_secs(self.reservation_seconds.get().into())
    }

    /// How long a circuit may stay open.
    pub fn circuit_duration(&self) -> Duration {
        Duration::from_secs(self.circuit_seconds.get().into())
    }

    /// How long open circuits may go on after the signal to stop.
    pub fn drain_duration(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.into())
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.http_port == self.ws_port && self.http_port != 0 {
            return Err(ConfigError::SamePort { port: self.http_port });
        }
        let seconds = self.reservation_seconds.get();
        if seconds < MIN_RESERVATION_SECONDS {
            return Err(ConfigError::ReservationTooShort { seconds, least: MIN_RESERVATION_SECONDS });
        }
        if self.behind_proxy && self.announce == Announce::Auto {
            return Err(ConfigError::ProxyWithoutHost);
        }
        self.log
            .parse::<tracing_subscriber::EnvFilter>()
            .map_err(|source| ConfigError::BadLogFilter { filter: self.log.clone(), source })?;
        Ok(())
    }
}

/// `$STATE_DIRECTORY` (as systemd sets it), else the user's data folder, else a folder where the relay was started.
fn default_data_dir() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    from("STATE_DIRECTORY")
        .or_else(|| from("XDG_DATA_HOME").map(|home| home.join("tabchain-relay")))
        .or_else(|| from("HOME").map(|home| home.join(".local/share/tabchain-relay")))
        .unwrap_or_else(|| PathBuf::from("tabchain-relay-data"))
}

const fn nonzero(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).expect("defaults are written above, none is zero")
}

const fn nonzero_long(value: u64) -> NonZeroU64 {
    NonZeroU64::new(value).expect("defaults are written above, none is zero")
}
