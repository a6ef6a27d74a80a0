//! The command line of `tabchain-relay`: it reads the settings, starts the relay, and stops it on a signal.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tabchain_relay::config::{Config, ConfigError, ENV_FILE, Flags, LogFormat};
use tabchain_relay::{Relay, StartError, page};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Introduces browser tabs to each other: page, bootstrap, circuit relay, rendezvous and STUN.
#[derive(Debug, Parser)]
#[command(name = "tabchain-relay", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay; with no settings at all it serves this machine
    Run(Settings),
    /// Print the effective settings as TOML, and end
    Config(Settings),
}

#[derive(Debug, Args)]
struct Settings {
    /// A TOML file with settings, named like the flags with `_` for `-`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0} ended by itself")]
    Broken(String),
    #[error("can't use the terminal or the signals of this system: {0}")]
    System(#[from] io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(settings) => run(&settings).await,
        Command::Config(settings) => print_config(&settings),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be closed; the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn load(settings: &Settings) -> Result<Config, ConfigError> {
    let from_environment = || std::env::var_os(ENV_FILE).map(PathBuf::from);
    let file = settings.config.clone().or_else(from_environment);
    Config::load(&settings.flags, file.as_deref())
}

fn print_config(settings: &Settings) -> Result<(), Failure> {
    let config = load(settings)?;
    io::stdout().write_all(config.to_toml().as_bytes())?;
    Ok(())
}

async fn run(settings: &Settings) -> Result<(), Failure> {
    let config = load(settings)?;
    start_log(&config);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let network = config.network;
    let mut relay = Relay::start(config).await?;

    tracing::info!(peer_id = %relay.peer_id(), %network, page = page::is_built(), "started");
    let mut out = io::stdout();
    writeln!(out, "tabchain-relay for the {network} chain: open {}/ in a browser", relay.addresses().http)?;
    writeln!(out, "{}", relay.addresses())?;
    out.flush()?;

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        part = relay.broken() => {
            let name = part.map_or_else(|| "a part of the relay".to_owned(), |part| part.to_string());
            return Err(Failure::Broken(name));
        }
    }
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        () = relay.stop() => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Log lines go to standard error, so that standard output holds nothing but the ready line and the one above it.
fn start_log(config: &Config) {
    let filter = EnvFilter::new(&config.log);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.log_format {
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => lines.json().init(),
    }
}
