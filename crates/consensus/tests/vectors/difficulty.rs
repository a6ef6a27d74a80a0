//! `difficulty.json`: compact targets, work, the next target after solve times of all kinds, and rewards.

use serde_json::{Value, json};
use tabchain_consensus::{ChainSpec, next_target, reward};
use tabchain_primitives::{CompactTarget, Header, HeaderFields, Height};

pub(crate) fn vectors() -> Value {
    let good = [
        0x1d00_ffff,
        0x1f00_ffff,
        0x207f_ffff,
        0x2100_ffff,
        0x0500_9234,
        0x0200_8000,
        0x0112_0000,
        0x0101_0000,
    ];
    let bad = [
        0,
        0x0100_0000,
        0x0000_ffff,
        0x01fe_dcba,
        0x0492_3456,
        0xff12_3456,
        0x2201_0000,
        0x0112_3456,
        0x1e00_00ff,
    ];
    let specs = [ChainSpec::dev(), ChainSpec::test()];
    let heights = [0, 1, 2, 1000, 525_600, 1_051_200, 2_102_400, 10_512_000, 100_000_000, u32::MAX];
    json!({
        "targets": good.map(target),
        "bad_targets": bad.map(bad_target),
        "next_targets": specs.each_ref().map(next_targets).concat(),
        "long_run_on_test": long_run(&specs[1]),
        "rewards_on_dev": heights.map(|height| json!({
            "height": height,
            "reward": reward(&specs[0], Height::new(height)).units(),
        })),
    })
}

fn target(bits: u32) -> Value {
    let target = CompactTarget::from_bits(bits).expand().expect("a target");
    json!({
        "compact": format!("{bits:#010x}"),
        "target": format!("{:#066x}", target.value()),
        "work": target.work().to_string(),
    })
}

fn bad_target(bits: u32) -> Value {
    let error = CompactTarget::from_bits(bits).expand().expect_err("no target");
    json!({ "compact": format!("{bits:#010x}"), "error": format!("{error:?}") })
}

/// The target after `parent`, which was found so long after its own parent.
fn after(spec: &ChainSpec, target: CompactTarget, solve_time: u64) -> CompactTarget {
    let grandparent = *spec.genesis_header();
    let parent = Header::new(HeaderFields {
        height: Height::new(2),
        time: grandparent.time().saturating_add(solve_time),
        target,
        ..grandparent.fields()
    });
    next_target(spec, &parent, Some(&grandparent))
}

fn next_targets(spec: &ChainSpec) -> Vec<Value> {
    let (interval, half_life) = (spec.interval_ms(), spec.half_life_ms());
    let times = [
        1,
        interval / 10,
        interval,
        interval + 1,
        2 * interval,
        half_life,
        interval + half_life,
        4 * half_life,
        100 * half_life,
    ];
    let describe = |bits: u32, solve_time: u64| {
        let next = after(spec, CompactTarget::from_bits(bits), solve_time);
        json!({ "spec": spec.name(), "target": format!("{bits:#010x}"), "solve_time_ms": solve_time, "next": next.to_string() })
    };
    [0x1f00_ffff, 0x1b0f_ffff, 0x0101_0000]
        .iter()
        .flat_map(|bits| times.map(|time| describe(*bits, time)))
        .collect()
}

/// Every tenth target of 200 blocks whose solve times come from a small generator, spread around the interval.
fn long_run(spec: &ChainSpec) -> Vec<Value> {
    let (mut target, mut random) = (spec.genesis_target(), 1_u64);
    let mut targets = Vec::new();
    for block in 1..=200 {
        random = random * 48_271 % 2_147_483_647;
        let solve_time = 1 + random % (2 * spec.interval_ms());
        target = after(spec, target, solve_time);
        if block % 10 == 0 {
            targets.push(json!({ "block": block, "solve_time_ms": solve_time, "next": target.to_string() }));
        }
    }
    targets
}
