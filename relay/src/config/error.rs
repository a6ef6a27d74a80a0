//! What can be wrong with a configuration.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use thiserror::Error;

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The TOML file at this path.
    File(PathBuf),
    /// An environment variable.
    Environment,
    /// A flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment => f.write_str("the environment"),
            Self::Flag => f.write_str("the command line"),
        }
    }
}

/// Why there is no usable configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the configuration file {}: {source}", path.display())]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file isn't TOML.
    #[error("the configuration file {} isn't valid TOML: {reason}", path.display())]
    FileSyntax {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the line.
        reason: String,
    },
    /// A name that is no setting.
    #[error("`{key}` in {origin} is not a setting: `tabchain-relay config` lists them all")]
    UnknownKey {
        /// The name.
        key: String,
        /// Where it stands.
        origin: Origin,
    },
    /// A value that its setting can't have.
    #[error("`{key}` in {origin} can't be {found}: {expected}")]
    BadValue {
        /// The setting.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The value.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// The log filter can't be read.
    #[error("`log` can't be `{filter}`: {source}")]
    BadLogFilter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Two services want one port.
    #[error("`http_port` and `ws_port` are both {port}: give each its own, or 0 to pick a free one")]
    SamePort {
        /// The port.
        port: u16,
    },
    /// Places that are to be renewed all the time are none to a tab.
    #[error(
        "`reservation_seconds` can't be {seconds}: at least {least}, or tabs would be asking all the time"
    )]
    ReservationTooShort {
        /// What was set.
        seconds: u32,
        /// The least that is right.
        least: u32,
    },
    /// Behind a proxy the relay can't know its own name.
    #[error("`behind_proxy` needs `announce`: the host name that the proxy answers to")]
    ProxyWithoutHost,
}

impl ConfigError {
    /// Says which key of which layer figment stumbled over.
    pub(super) fn explain(error: figment::Error, layers: &Figment, file: Option<&Path>) -> Self {
        // Only the file, the environment and the flags can be wrong: the defaults are typed.
        let layer = error.metadata.as_ref().map_or("", |metadata| metadata.name.as_ref());
        let origin = match file {
            _ if layer.contains("environment") => Origin::Environment,
            Some(path) if layer.contains("TOML") => Origin::File(path.to_owned()),
            _ => Origin::Flag,
        };
        let key = error.path.join(".");
        match (error.kind, origin) {
            (Kind::UnknownField(key, _), origin) => Self::UnknownKey { key, origin },
            (Kind::Message(reason), Origin::File(path)) if key.is_empty() => {
                Self::FileSyntax { path, reason }
            }
            (kind, origin) => {
                let expected = match &kind {
                    Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
                        format!("expected {expected}")
                    }
                    Kind::UnknownVariant(_, known) => format!("expected one of {}", known.join(", ")),
                    other => other.to_string(),
                };
                let found = layers.find_value(&key).map_or_else(|_| "this".to_owned(), |value| shown(&value));
                Self::BadValue { key, origin, found, expected }
            }
        }
    }
}

/// A value as an operator wrote it.
fn shown(value: &figment::value::Value) -> String {
    use figment::value::Value;
    match value {
        Value::String(_, text) => format!("\"{text}\""),
        Value::Char(_, letter) => format!("\"{letter}\""),
        Value::Bool(_, truth) => truth.to_string(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|whole| whole.to_string())
            .or_else(|| number.to_u128().map(|whole| whole.to_string()))
            .or_else(|| number.to_f64().map(|real| real.to_string()))
            .unwrap_or_else(|| "this number".to_owned()),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(..) => "a list".to_owned(),
        Value::Empty(..) => "nothing".to_owned(),
    }
}
