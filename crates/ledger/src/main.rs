//! `tabchain-ledger block|transaction|header|address <hex|file>`: what it is, in words, and which rule it breaks.
//!
//! The exit code is 0 for what breaks no rule that can be checked here, and 1 for the rest.

use std::{
    fs,
    path::Path,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use tabchain_consensus::ChainSpec;
use tabchain_ledger::{Above, Report, address, block, header, transaction};
use tabchain_primitives::{Decode, Header, Height, Timestamp};

/// Says in words what bytes of the ledger are, and which rule they break.
#[derive(Parser)]
#[command(name = "tabchain-ledger", disable_help_subcommand = true)]
struct Cli {
    /// The chain: `dev`, `test`, or the file of a chain spec
    #[arg(long, global = true, default_value = "dev")]
    chain: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A block with its transactions
    Block(Mined),
    /// A block's header
    Header(Mined),
    /// A signed transaction
    Transaction {
        /// Hex, or a file of hex or bytes
        bytes: String,
        /// The height of a block that could contain it
        #[arg(long)]
        height: Option<u32>,
    },
    /// An address, or a public key
    Address {
        /// The address as people write it, or hex
        text: String,
    },
}

#[derive(Args)]
struct Mined {
    /// Hex, or a file of hex or bytes
    bytes: String,
    /// The header below, for the rules that look at it
    #[arg(long)]
    parent: Option<String>,
    /// The header below that one
    #[arg(long)]
    grandparent: Option<String>,
}

fn main() -> ExitCode {
    match report(&Cli::parse()) {
        Ok(report) => {
            print!("{report}");
            if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn report(cli: &Cli) -> Result<Report> {
    let spec = chain(&cli.chain)?;
    Ok(match &cli.what {
        What::Block(mined) => block(&spec, &read(&mined.bytes)?, &above(mined)?),
        What::Header(mined) => header(&spec, &read(&mined.bytes)?, &above(mined)?),
        What::Transaction { bytes, height } => transaction(&spec, &read(bytes)?, height.map(Height::new)),
        What::Address { text } => address(&spec, text),
    })
}

fn chain(name: &str) -> Result<ChainSpec> {
    if let Some(spec) = ChainSpec::by_name(name) {
        return Ok(spec);
    }
    let json = fs::read_to_string(name).with_context(|| format!("{name} is neither dev, test nor a file"))?;
    ChainSpec::from_json(&json).with_context(|| format!("{name} is no chain spec"))
}

fn above(mined: &Mined) -> Result<Above> {
    let below = |text: &Option<String>| -> Result<Option<Header>> {
        let Some(text) = text else { return Ok(None) };
        Header::from_bytes(&read(text)?).map(Some).context("what was given as a header below is none")
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
    let now = Timestamp::from_millis(u64::try_from(since.as_millis()).context("the clock is far ahead")?);
    Ok(Above { parent: below(&mined.parent)?, grandparent: below(&mined.grandparent)?, now: Some(now) })
}

/// The bytes that are meant by hex, by a file of hex or by a file of bytes.
fn read(text: &str) -> Result<Vec<u8>> {
    if let Ok(bytes) = hex::decode(text.trim()) {
        return Ok(bytes);
    }
    if !Path::new(text).is_file() {
        bail!("neither hex nor a file: {}", text.chars().take(80).collect::<String>());
    }
    let content = fs::read(text).with_context(|| format!("reading {text}"))?;
    let as_hex = std::str::from_utf8(&content).ok().and_then(|text| hex::decode(text.trim()).ok());
    Ok(as_hex.unwrap_or(content))
}
