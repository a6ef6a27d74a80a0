//! A story as a page: one file, no script, readable by day and by night.

use std::fmt::Write;

use tabchain_sim::Purpose;

use crate::plot::{Axis, Plot, short};
use crate::run::{Told, lasting, name, seconds};

/// Curves of so many blocks are drawn beside the typical one.
const MAX_CURVES: usize = 40;
/// The curves go on for so many times what the typical block takes to reach 95%.
const STRETCH: u64 = 5;
/// Bars of a histogram.
const BARS: usize = 40;

/// Draws everything.
pub(crate) fn draw(told: &Told) -> String {
    let story = told.run.story;
    let mut body = String::new();
    let mut section = |title: &str, text: &str, picture: String| {
        write!(body, "<section><h2>{title}</h2><p>{text}</p>{picture}</section>")
            .expect("a text takes what is written");
    };
    section("How a block spreads", SPREAD, spread(told));
    section("The tree of blocks", TREE, tree(told));
    section("Who stands together", TOGETHER, together(told));
    section("Who is there", THERE, there(told));
    section("What blocks cost", COST, cost(told));
    section("What bytes were for", PURPOSES, purposes(told));
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>tabchain: {}</title><style>{STYLE}</style></head><body><main><header><p class=\"over\">a simulated network of real nodes</p><h1>{}</h1><p>{}</p></header>{}{}{body}<footer>Seed {}. Trace <code>{}</code>. The same seed tells the same story, event by event.</footer></main></body></html>",
        story.name(),
        story.name(),
        story.about(),
        cards(told),
        claims(told),
        told.run.seed,
        hex::encode(told.figures.trace),
    )
}

const SPREAD: &str = "The share of all honest nodes that stand on a block, by the time since it was found. One thin line for each block; the strong one is the typical block.";
const TREE: &str = "Every block that was found, by when and at what height. Hollow ones were left beside the chain; red ones were found by somebody dishonest.";
const TOGETHER: &str = "The share of honest nodes that stand on the most common tip. It dips at each new block, and as long as the network is parted. Thin below: how many tips there are.";
const THERE: &str = "Nodes that are open. Thin below: how many connections an honest one has on average.";
const COST: &str =
    "How many bytes honest nodes received for blocks: announcements, headers, and what was missing.";
const PURPOSES: &str = "Bytes that a node received, on average.";

fn cards(told: &Told) -> String {
    let figures = &told.figures;
    let reaches = |share| figures.typical(share).map_or("–".into(), lasting);
    let cards = [
        ("nodes", told.run.nodes.to_string()),
        ("simulated", format!("{:.0} min", seconds(told.simulated_ms) / 60.0)),
        ("took", format!("{:.0} s", told.took.as_secs_f64())),
        ("events a second", short(told.pace().round())),
        ("50% have a block after", reaches(0.5)),
        ("95% have a block after", reaches(0.95)),
        ("blocks, beside the chain", format!("{}, {}", figures.tree.len(), figures.orphans())),
        ("deepest reorg", figures.reorgs.iter().max().map_or("none".into(), usize::to_string)),
    ];
    let card = |(what, figure): &(&str, String)| format!("<div><b>{figure}</b><span>{what}</span></div>");
    format!("<div class=\"cards\">{}</div>", cards.iter().map(card).collect::<String>())
}

fn claims(told: &Told) -> String {
    let row = |claim: &crate::run::Claim| {
        let mark = match claim.holds {
            Some(true) => "<i class=\"yes\">yes</i>",
            Some(false) => "<i class=\"no\">no</i>",
            None => "",
        };
        format!("<tr><td>{}</td><td>{}</td><td>{mark}</td></tr>", claim.what, claim.found)
    };
    format!("<table>{}</table>", told.claims.iter().map(row).collect::<String>())
}

fn spread(told: &Told) -> String {
    let spreads = &told.figures.spreads;
    let last = spreads.iter().filter_map(|spread| spread.reaches(0.99)).max().unwrap_or(1_000);
    // One block that came late must not squeeze all others into a corner.
    let typical = told.figures.typical(0.95).unwrap_or(last);
    let end = float(last.min(typical.saturating_mul(STRETCH))) * 1.15;
    let mut plot = Plot::new(
        Axis { from: 0.0, to: end, unit: "ms since it was found" },
        Axis { from: 0.0, to: 100.0, unit: "% of nodes" },
    );
    let step = spreads.len().div_ceil(MAX_CURVES).max(1);
    for spread in spreads.iter().step_by(step) {
        let all = spread.could.max(1);
        let points = spread.after_ms.iter().zip(1..);
        let thin = (spread.after_ms.len() / 100).max(1);
        let points: Vec<_> =
            points.step_by(thin).map(|(&at, count)| (float(at), 100.0 * share(count, all))).collect();
        let points: Vec<_> = points.into_iter().take_while(|(at, _)| *at <= end).collect();
        plot.steps("thin", &points);
    }
    let shares = (1..=100).map(|percent| share(percent, 100));
    let typical: Vec<_> =
        shares.filter_map(|share| told.figures.typical(share).map(|at| (float(at), 100.0 * share))).collect();
    plot.curve("strong", &typical);
    if let Some(at) = told.figures.typical(0.95) {
        plot.mark(float(at), &format!("95%: {}", lasting(at)));
    }
    plot.svg("propagation of blocks")
}

fn tree(told: &Told) -> String {
    let tree = &told.figures.tree;
    let (mut low, mut high, mut end) = (u32::MAX, 0, 1);
    for leaf in tree {
        (low, high, end) = (low.min(leaf.height), high.max(leaf.height), end.max(leaf.at_ms));
    }
    let low = if tree.is_empty() { 0 } else { low };
    let mut plot = Plot::new(
        Axis { from: 0.0, to: minutes(end) * 1.02, unit: "minutes" },
        Axis { from: f64::from(low) - 1.0, to: f64::from(high) + 1.0, unit: "height" },
    );
    for leaf in tree {
        if let Some(parent) = leaf.parent.map(|parent| &tree[parent]) {
            let ends = [
                (minutes(parent.at_ms), f64::from(parent.height)),
                (minutes(leaf.at_ms), f64::from(leaf.height)),
            ];
            plot.curve(if leaf.on_chain { "branch" } else { "branch lost" }, &ends);
        }
    }
    let radius = if tree.len() > 200 { 2.0 } else { 3.5 };
    for leaf in tree {
        let class = match (leaf.on_chain, leaf.honest) {
            (true, true) => "block",
            (true, false) => "block foul",
            (false, true) => "block lost",
            (false, false) => "block lost foul",
        };
        let title = format!("height {} after {:.1} min", leaf.height, minutes(leaf.at_ms));
        plot.dot(class, minutes(leaf.at_ms), f64::from(leaf.height), radius, &title);
    }
    plot.svg("tree of blocks")
}

fn together(told: &Told) -> String {
    let mut plot = Plot::new(time(told), Axis { from: 0.0, to: 100.0, unit: "% on the most common tip" });
    let points: Vec<_> =
        told.log.samples.iter().map(|sample| (minutes(sample.at_ms), 100.0 * sample.together)).collect();
    plot.curve("strong", &points);
    let most = told.log.samples.iter().map(|sample| sample.tips).max().unwrap_or(1).max(1);
    let tips: Vec<_> = told
        .log
        .samples
        .iter()
        .map(|sample| (minutes(sample.at_ms), 30.0 * share(sample.tips, most)))
        .collect();
    plot.curve("thin", &tips);
    plot.svg("agreement over time")
}

fn there(told: &Told) -> String {
    let most = told.log.samples.iter().map(|sample| sample.open).max().unwrap_or(1);
    let mut plot = Plot::new(time(told), Axis { from: 0.0, to: size(most) * 1.1, unit: "nodes" });
    let open: Vec<_> =
        told.log.samples.iter().map(|sample| (minutes(sample.at_ms), size(sample.open))).collect();
    plot.curve("strong", &open);
    let scale = size(most) / 40.0;
    let connections: Vec<_> =
        told.log.samples.iter().map(|sample| (minutes(sample.at_ms), sample.connections * scale)).collect();
    plot.curve("thin", &connections);
    let last = told.log.samples.last().map_or(0.0, |sample| sample.connections);
    plot.svg("nodes that are there")
        + &format!("<p class=\"note\">{last:.1} connections each, in the end.</p>")
}

fn cost(told: &Told) -> String {
    let bytes = &told.figures.for_blocks;
    let most = bytes.iter().max().copied().unwrap_or(1).max(1);
    let mut bars = [0_usize; BARS];
    for &received in bytes {
        let at = usize::try_from(received * (BARS as u64 - 1) / most).unwrap_or(0);
        bars[at] += 1;
    }
    let highest = bars.iter().max().copied().unwrap_or(1);
    let width = float(most) / size(BARS - 1) / 1_000.0;
    let mut plot = Plot::new(
        Axis { from: 0.0, to: width * size(BARS), unit: "kB received for blocks" },
        Axis { from: 0.0, to: size(highest) * 1.1, unit: "nodes" },
    );
    for (number, &count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
        let from = size(number) * width;
        let title = format!("{count} nodes: {:.0} to {:.0} kB", from, from + width);
        plot.bar("bar", from, from + width, size(count), &title);
    }
    plot.svg("bytes received for blocks")
}

fn purposes(told: &Told) -> String {
    let each =
        |purpose| told.figures.received.get(&purpose).copied().unwrap_or(0) / told.run.nodes.max(1) as u64;
    let most = Purpose::ALL.into_iter().map(each).max().unwrap_or(1).max(1);
    let row = |purpose: Purpose| {
        let (bytes, what) = (each(purpose), name(purpose));
        let width = 100.0 * float(bytes) / float(most);
        format!(
            "<tr><td>{what}</td><td>{}B</td><td class=\"wide\"><u style=\"width:{width:.1}%\"></u></td></tr>",
            short(float(bytes))
        )
    };
    format!("<table class=\"bars\">{}</table>", Purpose::ALL.into_iter().map(row).collect::<String>())
}

fn time(told: &Told) -> Axis {
    let end = told.log.samples.last().map_or(1, |sample| sample.at_ms);
    Axis { from: 0.0, to: minutes(end), unit: "minutes" }
}

fn minutes(millis: u64) -> f64 {
    seconds(millis) / 60.0
}

fn share(part: usize, all: usize) -> f64 {
    size(part) / size(all)
}

#[allow(clippy::cast_precision_loss)]
fn float(number: u64) -> f64 {
    number as f64
}

#[allow(clippy::cast_precision_loss)]
fn size(number: usize) -> f64 {
    number as f64
}

const STYLE: &str = "
:root{color-scheme:light dark;--ground:#fbfaf7;--paper:#fff;--ink:#1d2327;--soft:#6b747b;--line:#e4e2dc;--main:#0b7a75;--thin:#0b7a7533;--lost:#b98a2f;--foul:#c0392b;--bar:#0b7a75cc}
@media (prefers-color-scheme:dark){:root{--ground:#121517;--paper:#1a1f22;--ink:#e8ecee;--soft:#97a3ab;--line:#2b3236;--main:#4fd1c5;--thin:#4fd1c533;--lost:#e0b354;--foul:#ff7b6b;--bar:#4fd1c5aa}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:860px;margin:0 auto;padding:48px 24px}h1{font-size:44px;line-height:1.1;margin:0 0 8px;letter-spacing:-.02em;text-transform:capitalize}
.over{color:var(--main);font-weight:600;margin:0;letter-spacing:.02em}h2{font-size:20px;margin:0}header p{max-width:60ch;font-size:18px}
section{background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:22px 24px;margin:20px 0}section p{color:var(--soft);margin:4px 0 14px;font-size:14.5px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:24px 0}
.cards div{background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:14px 16px}.cards b{display:block;font-size:24px;letter-spacing:-.01em;font-variant-numeric:tabular-nums}.cards span{color:var(--soft);font-size:13px}
table{width:100%;border-collapse:collapse;font-size:15px;font-variant-numeric:tabular-nums}td{padding:7px 8px 7px 0;border-bottom:1px solid var(--line)}tr:last-child td{border:0}
i{font-style:normal;font-weight:600;padding:1px 9px;border-radius:99px;font-size:13px}.yes{background:var(--thin);color:var(--main)}.no{background:var(--foul);color:var(--paper)}
.bars td:first-child{white-space:nowrap}.wide{width:55%}u{display:block;height:12px;border-radius:4px;background:var(--bar);min-width:2px}
svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}svg .unit{font-size:10.5px}
.grid{stroke:var(--line)}path{fill:none}.strong{stroke:var(--main);stroke-width:2.6;stroke-linejoin:round}.thin{stroke:var(--main);stroke-width:1;opacity:.32}
line.mark{stroke:var(--lost);stroke-dasharray:3 4}text.mark{fill:var(--lost);font-weight:600}.bar{fill:var(--bar)}
.branch{stroke:var(--main);stroke-width:1.2;opacity:.6}.branch.lost{stroke:var(--lost)}.block{fill:var(--main)}.block.foul{fill:var(--foul)}.block.lost{fill:var(--paper);stroke:var(--lost);stroke-width:1.6}.block.lost.foul{stroke:var(--foul)}
.note{margin:8px 0 0}footer{color:var(--soft);font-size:13px;margin-top:28px;overflow-wrap:anywhere}code{font-size:12px}";
