//! The values of settings that are more than a number.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use libp2p::multiaddr::Protocol;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The chain that this relay's tabs keep. The relay itself reads nothing of a chain: the name only separates meeting places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Fast blocks and trivial work, for one machine.
    Dev,
    /// The public test chain.
    Test,
}

impl Network {
    /// The rendezvous namespace in which the tabs of this network meet.
    pub fn rendezvous_namespace(self) -> String {
        format!("tabchain/{self}")
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dev => "dev",
            Self::Test => "test",
        })
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// A host as a URL may name it: an IP address or a DNS name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name: letters, digits, hyphens and dots, at most 253 characters.
    Name(String),
}

impl Host {
    /// Reads the value of an HTTP `Host` header, leaving out its port.
    pub fn from_header(header: &str) -> Result<Self, BadHost> {
        let bracketed = header.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        match bracketed {
            Some((address, _port)) => address.parse(),
            None => header.split_once(':').map_or(header, |(host, _port)| host).parse(),
        }
    }

    /// The first component of a multiaddress to this host.
    pub fn as_protocol(&self) -> Protocol<'_> {
        match self {
            Self::Ip(IpAddr::V4(address)) => Protocol::Ip4(*address),
            Self::Ip(IpAddr::V6(address)) => Protocol::Ip6(*address),
            Self::Name(name) => Protocol::Dns(name.into()),
        }
    }

    /// `host:port` as URLs write it, with brackets around an IPv6 address.
    pub fn with_port(&self, port: u16) -> String {
        match self {
            Self::Ip(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            other => format!("{other}:{port}"),
        }
    }
}

impl FromStr for Host {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(Self::Ip(address));
        }
        let label_is_sound = |label: &str| {
            let inner_is_sound = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            (1..=63).contains(&label.len())
                && inner_is_sound
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // A name whose last label is a number would be read as a (broken) IPv4 address by browsers.
        let ends_in_number =
            text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        if text.len() <= 253 && text.split('.').all(label_is_sound) && !ends_in_number {
            Ok(Self::Name(text.to_ascii_lowercase()))
        } else {
            Err(BadHost)
        }
    }
}

impl From<Ipv4Addr> for Host {
    fn from(address: Ipv4Addr) -> Self {
        Self::Ip(address.into())
    }
}

impl From<Ipv6Addr> for Host {
    fn from(address: Ipv6Addr) -> Self {
        Self::Ip(address.into())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// The text is neither an IP address nor a DNS name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a host: expected an IP address or a name of letters, digits, hyphens and dots, without a port")]
pub struct BadHost;

/// Which host the relay tells browsers to dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Announce {
    /// The host that the page was fetched from.
    Auto,
    /// This one, always.
    Host(Host),
}

impl FromStr for Announce {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Host) }
    }
}

impl TryFrom<String> for Announce {
    type Error = BadHost;

    fn try_from(text: String) -> Result<Self, BadHost> {
        text.parse()
    }
}

impl From<Announce> for String {
    fn from(announce: Announce) -> Self {
        match announce {
            Announce::Auto => "auto".to_owned(),
            Announce::Host(host) => host.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BadHost, Host};
    use libp2p::Multiaddr;

    #[test]
    fn hosts_are_read_as_browsers_write_them() {
        let cases = [
            ("127.0.0.1:8080", Some("127.0.0.1")),
            ("localhost", Some("localhost")),
            ("Relay.Example:443", Some("relay.example")),
            ("[::1]:8080", Some("::1")),
            ("[fe80::1", None),
            ("", None),
            ("a b", None),
            ("-a.example", None),
            ("a..example", None),
            ("256.1.1.1", None),
            ("x/y", None),
            ("evil\"quote", None),
        ];
        for (header, expected) in cases {
            let read = Host::from_header(header).map(|host| host.to_string());
            assert_eq!(read, expected.map(str::to_owned).ok_or(BadHost), "{header:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_taken_for_a_host_survives_a_multiaddress(header in "[a-zA-Z0-9.:\\[\\]/_ \"-]{0,40}|\\PC*") {
            if let Ok(host) = Host::from_header(&header) {
                let address = Multiaddr::empty().with(host.as_protocol());
                let read: Multiaddr = address.to_string().parse().unwrap();
                proptest::prop_assert_eq!(read, address);
            }
        }
    }
}
