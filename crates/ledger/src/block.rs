//! Headers and blocks.

use tabchain_consensus::{
    ChainSpec, CheckedBlock, HeaderError, check_header, hash_meets_target, reward, time_is_not_ahead,
    verify_each, version_is_known,
};
use tabchain_primitives::{Block, Decode, Encode, Header, Height, Timestamp};

use crate::{report::Report, transaction};

/// What a header stands on, as far as it is known. The genesis is known by the chain spec.
#[derive(Clone, Copy, Debug, Default)]
pub struct Above {
    /// The header below.
    pub parent: Option<Header>,
    /// The header below that one.
    pub grandparent: Option<Header>,
    /// The clock.
    pub now: Option<Timestamp>,
}

/// What a header is.
pub fn header(spec: &ChainSpec, bytes: &[u8], above: &Above) -> Report {
    match Header::from_bytes(bytes) {
        Ok(header) => {
            let mut report = describe(spec, &header);
            judge(&mut report, spec, &header, above);
            report
        }
        Err(error) => Report::unreadable("header", bytes.len(), &error),
    }
}

/// What a block is, with everything in it.
pub fn block(spec: &ChainSpec, bytes: &[u8], above: &Above) -> Report {
    let block = match Block::from_bytes(bytes) {
        Ok(block) => block,
        Err(error) => return Report::unreadable("block", bytes.len(), &error),
    };
    let mut report = Report::default();
    report.heading(format!("block of {} bytes, at most {} are allowed", bytes.len(), spec.max_block_bytes()));
    let mut head = describe(spec, &block.header);
    judge(&mut head, spec, &block.header, above);
    report.unchecked.append(&mut head.unchecked);
    report.part("header", head);
    for (index, read) in block.transactions.iter().enumerate() {
        report.heading(format!("transaction {index}"));
        report.part(&format!("transaction {index}"), transaction::describe(spec, read));
    }
    body(&mut report, spec, block);
    report
}

/// Rules B7 to B10, T5 and T6.
fn body(report: &mut Report, spec: &ChainSpec, block: Block) {
    let verdict = CheckedBlock::check(spec, block).and_then(|checked| {
        let verdict = verify_each(&checked.signatures(&spec.genesis_hash()));
        checked.verified(verdict)
    });
    match verdict {
        Ok(_) => report.unchecked.push("T7, T8, B11 and B12, accounts and roots: they need the chain"),
        Err(error) => report.fault(error.rule(), error.to_string()),
    }
}

fn describe(spec: &ChainSpec, header: &Header) -> Report {
    let mut report = Report::default();
    report.line("hash", header.hash());
    report.line("version", header.version());
    report.line("height", format!("{} blocks lie below", header.height()));
    report.line("parent", header.parent());
    report.line("miner", header.miner().to_bech32(spec.prefix()));
    report.line("reward", format!("{} TAB, {} blocks later", reward(spec, header.height()), spec.maturity()));
    report.line("transactions", header.tx_count());
    report.line("transactions root", header.tx_root());
    report.line("state root", header.state_root());
    report.line("history root", header.history_root());
    report.line("time", format!("{} since the Unix epoch", header.time()));
    match header.target().expand() {
        Ok(target) => {
            report.line("target", format!("{}, about {} hashes", header.target(), target.work()));
        }
        Err(error) => report.line("target", format!("{}: {error}", header.target())),
    }
    report.line("nonce", header.nonce());
    report.line("size", format!("{} bytes", header.to_bytes().len()));
    report
}

/// Rules B1 to B6, as far as what lies below is known.
fn judge(report: &mut Report, spec: &ChainSpec, header: &Header, above: &Above) {
    if header == spec.genesis_header() {
        report.heading(format!("this is the genesis of the chain {}", spec.name()));
        return;
    }
    let genesis = (header.parent() == spec.genesis_hash()).then(|| *spec.genesis_header());
    let parent = above.parent.or(genesis).filter(|parent| parent.hash() == header.parent());
    let clock = |header: &Header| above.now.map_or(header.time(), |now| now);
    let verdict = match parent {
        Some(parent) if parent.height() <= Height::new(1) || above.grandparent.is_some() => {
            check_header(spec, header, &parent, above.grandparent.as_ref(), clock(header))
        }
        _ => {
            report.unchecked.push("B2, B3 and B5, height, time and target: they need the two headers below");
            by_itself(spec, header, clock(header))
        }
    };
    if above.now.is_none() {
        report.unchecked.push("B4, whether its time has come: no clock was given");
    }
    if let Err(error) = verdict {
        report.fault(error.rule(), error.to_string());
    }
}

/// The rules that need nothing but the header.
fn by_itself(spec: &ChainSpec, header: &Header, now: Timestamp) -> Result<(), HeaderError> {
    version_is_known(header)?;
    hash_meets_target(header, &header.hash())?;
    time_is_not_ahead(spec, header, now)
}
