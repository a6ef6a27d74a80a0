//! The chain itself, as a file of blocks: each is its length, then its bytes.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use anyhow::{Context, Result};
use tabchain_chain::{Chain, testing};
use tabchain_consensus::ChainSpec;
use tabchain_primitives::{Address, Block, Decode, Encode, Transaction};
use tabchain_sync::Rng;

use crate::people::People;
use crate::work;

/// Between two blocks, in milliseconds: far enough apart to keep the work at its least.
const PAUSES: [usize; 2] = [15_000, 60_000];
/// Blocks whose transactions are signed ahead.
const AHEAD: usize = 256;

/// What a block is made of before its turn comes.
struct Draft {
    miner: Address,
    transactions: Vec<Transaction>,
}

/// Mines so many blocks in which so many accounts pay each other. The file appears once it is whole.
pub(crate) fn mine(count: u32, accounts: usize, file: &Path) -> Result<()> {
    let spec = Arc::new(ChainSpec::dev());
    let unfinished = file.with_extension("unfinished");
    let mut out = BufWriter::new(File::create(&unfinished).context("creating the file of blocks")?);
    let (drafts, drafted) = mpsc::sync_channel(AHEAD);
    let signer = Arc::clone(&spec);
    thread::spawn(move || {
        let mut people = People::new(accounts);
        for height in 1..=count {
            let transactions = people.transactions(&signer, height);
            let draft = Draft { miner: people.miner(height), transactions };
            if drafts.send(draft).is_err() {
                return;
            }
        }
    });
    let mut chain = Chain::new(spec);
    let mut rng = Rng::new([3; 32]);
    for (done, Draft { miner, transactions }) in (1_u32..).zip(drafted) {
        let pause = PAUSES[0] + rng.below(PAUSES[1] - PAUSES[0]);
        let time = chain.tip().header.time().saturating_add(pause as u64);
        let header = chain.prepare_header(miner, &transactions, time).context("preparing a block")?;
        let block = Block { header: work::solve(header), transactions };
        testing::connect(&mut chain, &block);
        let bytes = block.to_bytes();
        out.write_all(&u32::try_from(bytes.len())?.to_le_bytes())?;
        out.write_all(&bytes)?;
        if done.is_multiple_of(5_000) {
            println!("   {done} of {count} blocks are mined");
        }
    }
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(&unfinished, file).context("naming the file of blocks")
}

/// Reads a file of blocks.
pub(crate) fn read(file: &Path) -> Result<Vec<Block>> {
    let mut from = BufReader::new(File::open(file).with_context(|| format!("opening {}", file.display()))?);
    let mut blocks = Vec::new();
    let mut length = [0; 4];
    while from.read_exact(&mut length).is_ok() {
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        from.read_exact(&mut bytes)?;
        blocks.push(Block::from_bytes(&bytes)?);
    }
    Ok(blocks)
}
