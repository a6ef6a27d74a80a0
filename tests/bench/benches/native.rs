//! The native figures under criterion, which tells how sure they are and how they changed since the last time.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tabchain_bench::{chain_of, world};
use tabchain_chain::{Chain, Undo, testing::verified_transaction};
use tabchain_consensus::{
    CheckedBlock, CheckedTransaction, SignatureChecks, Verdict, VerifiedBlock, check_header, verify_batch,
    verify_each,
};
use tabchain_mempool::{FeeRate, Limits, Mempool};
use tabchain_primitives::{Block, Decode, HEADER_BYTES, Height, Timestamp};

const ACCOUNTS: usize = 100_000;

fn signatures(c: &mut Criterion) {
    let spec = world::spec();
    let keys = world::keys(64);
    let check = |transaction| {
        let checked = CheckedTransaction::check(&spec, transaction).expect("a transfer fits a block");
        checked.signatures(&spec.genesis_hash()).0[0]
    };
    let checks = SignatureChecks(world::transfers(&spec, &keys, keys.len()).into_iter().map(check).collect());
    let mut group = c.benchmark_group("signatures");
    group.throughput(Throughput::Elements(64));
    group.bench_function("one by one", |b| b.iter(|| verify_each(&checks)));
    group.bench_function("a batch of 64", |b| b.iter(|| verify_batch(&checks, [7; 32])));
}

/// A full block of one-output transfers over many accounts: connected from its bytes, and taken back.
fn blocks(c: &mut Criterion) {
    let keys = world::keys(2_100);
    let mut chain = world::chain(&keys, ACCOUNTS);
    let block = world::full_blocks(&mut chain, &keys, ACCOUNTS).swap_remove(0);
    let transfers = block.transactions.len() as u64;
    let bytes = world::encoded(&[block]).swap_remove(0);
    let signed = |chain: &Chain, block: &CheckedBlock| {
        verify_batch(&block.signatures(&chain.spec().genesis_hash()), [7; 32])
    };
    let mut group = c.benchmark_group("transfers");
    group.sample_size(20).throughput(Throughput::Elements(transfers));
    for (name, verify) in [
        ("connected, with signatures", &signed as &dyn Fn(&Chain, &CheckedBlock) -> Verdict),
        ("connected, without", &|_: &Chain, _: &CheckedBlock| Verdict::AllValid),
    ] {
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| {
                (0..rounds)
                    .map(|_| {
                        let begin = std::time::Instant::now();
                        let undo = connect(&mut chain, &bytes, verify);
                        let took = begin.elapsed();
                        chain.disconnect(&undo).expect("it is the tip's");
                        took
                    })
                    .sum()
            });
        });
    }
    group.bench_function("disconnected", |b| {
        b.iter_custom(|rounds| {
            (0..rounds)
                .map(|_| {
                    let undo = connect(&mut chain, &bytes, &|_, _| Verdict::AllValid);
                    let begin = std::time::Instant::now();
                    chain.disconnect(&undo).expect("it is the tip's");
                    begin.elapsed()
                })
                .sum()
        });
    });
}

fn connect(chain: &mut Chain, bytes: &[u8], verify: &dyn Fn(&Chain, &CheckedBlock) -> Verdict) -> Undo {
    let block = Block::from_bytes(bytes).expect("a block");
    let checked = CheckedBlock::check(chain.spec(), block).expect("a good block");
    let verdict = verify(chain, &checked);
    let verified: VerifiedBlock = checked.verified(verdict).expect("well signed");
    chain.connect(&verified).expect("it follows the tip")
}

fn headers(c: &mut Criterion) {
    let spec = world::spec();
    let headers = chain_of(1_000);
    let later = Timestamp::from_millis(u64::MAX);
    let mut group = c.benchmark_group("headers");
    group.throughput(Throughput::Elements(headers.len() as u64));
    group.bench_function("checked", |b| {
        b.iter(|| {
            let mut below = (None, *spec.genesis_header());
            for header in &headers {
                check_header(&spec, header, &below.1, below.0.as_ref(), later).expect("a good header");
                below = (Some(below.1), *header);
            }
        });
    });
    group.bench_function("taken into the tree", |b| {
        b.iter_batched(
            || Chain::new(spec.clone()),
            |mut chain| {
                for header in &headers {
                    chain.insert_header(*header, later).expect("a good header");
                }
                chain
            },
            BatchSize::LargeInput,
        );
    });
}

fn template(c: &mut Criterion) {
    let keys = world::keys(4_096);
    let chain = world::chain(&keys, keys.len());
    let spec = chain.spec().clone();
    let next = chain.tip().height.next().unwrap_or(Height::MAX);
    let mut pool = Mempool::new(Limits { min_fee_rate: FeeRate::new(0), ..Limits::default() });
    for transfer in world::transfers(&spec, &keys, keys.len()) {
        pool.insert(verified_transaction(&spec, transfer), &chain, next).expect("there is room");
    }
    let (room, time) = (spec.max_block_bytes() - HEADER_BYTES - 3, chain.tip().header.time());
    let mut group = c.benchmark_group("templates");
    group.sample_size(20).throughput(Throughput::Elements(1));
    group.bench_function("built", |b| {
        b.iter(|| {
            let chosen = pool.template(&chain, room, next);
            chain.prepare_header(world::miner(), &chosen, time).expect("they can all be applied")
        });
    });
}

criterion_group!(ledger, signatures, blocks, headers, template);
criterion_main!(ledger);
