//! Pictures in SVG, drawn with the page's own colours: curves, bars, and the tree of blocks.

use std::fmt::Write;

/// The size of every picture.
pub(crate) const WIDTH: f64 = 760.0;
pub(crate) const HEIGHT: f64 = 280.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;

/// A picture with two axes.
pub(crate) struct Plot {
    x: Axis,
    y: Axis,
    body: String,
}

/// What an axis spans, and how its numbers are written.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) unit: &'static str,
}

impl Plot {
    pub(crate) fn new(x: Axis, y: Axis) -> Self {
        let mut plot = Self { x: x.wide(), y: y.wide(), body: String::new() };
        plot.grid();
        plot
    }

    /// A curve through points.
    pub(crate) fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        for (number, &(x, y)) in points.iter().enumerate() {
            let letter = if number == 0 { 'M' } else { 'L' };
            write!(path, "{letter}{:.1} {:.1}", self.left(x), self.top(y))
                .expect("a text takes what is written");
        }
        self.add(&format!("<path class=\"{class}\" d=\"{path}\"/>"));
    }

    /// A curve that stays until it jumps.
    pub(crate) fn steps(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut corners = Vec::new();
        for &(x, y) in points {
            if let Some(&(_, before)) = corners.last() {
                corners.push((x, before));
            }
            corners.push((x, y));
        }
        self.curve(class, &corners);
    }

    /// A bar from the ground.
    pub(crate) fn bar(&mut self, class: &str, from: f64, to: f64, height: f64, title: &str) {
        let (left, right) = (self.left(from) + 0.5, self.left(to) - 0.5);
        let (top, ground) = (self.top(height), self.top(self.y.from));
        let (width, height) = ((right - left).max(0.5), ground - top);
        self.add(&format!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"1.5\"><title>{title}</title></rect>"
        ));
    }

    pub(crate) fn dot(&mut self, class: &str, x: f64, y: f64, radius: f64, title: &str) {
        let (x, y) = (self.left(x), self.top(y));
        self.add(&format!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"><title>{title}</title></circle>"
        ));
    }

    /// A line straight up, with a word beside it.
    pub(crate) fn mark(&mut self, x: f64, word: &str) {
        let (left, top, ground) = (self.left(x), TOP, HEIGHT - BOTTOM);
        let (anchor, beside) = if left > WIDTH * 0.8 { ("end", left - 5.0) } else { ("start", left + 5.0) };
        self.add(&format!(
            "<line class=\"mark\" x1=\"{left:.1}\" x2=\"{left:.1}\" y1=\"{top}\" y2=\"{ground}\"/><text class=\"mark\" x=\"{beside:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{word}</text>",
            top + 10.0
        ));
    }

    pub(crate) fn svg(&self, label: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">{}</svg>",
            self.body
        )
    }

    fn grid(&mut self) {
        let (ground, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for value in ticks(self.y) {
            let y = self.top(value);
            self.add(&format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
            ));
            let text = short(value);
            self.add(&format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                LEFT - 8.0,
                y + 4.0
            ));
        }
        for value in ticks(self.x) {
            let x = self.left(value);
            let text = short(value);
            self.add(&format!(
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                ground + 18.0
            ));
        }
        let (x, y) = (self.x.unit, self.y.unit);
        self.add(&format!(
            "<text class=\"unit\" x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">{x}</text>",
            HEIGHT - 3.0
        ));
        self.add(&format!("<text class=\"unit\" x=\"{LEFT}\" y=\"{:.1}\">{y}</text>", TOP - 3.0));
    }

    fn left(&self, x: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * self.x.share(x)
    }

    fn top(&self, y: f64) -> f64 {
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - self.y.share(y))
    }

    fn add(&mut self, what: &str) {
        self.body.push_str(what);
    }
}

impl Axis {
    /// The same, but never without width.
    fn wide(self) -> Self {
        if self.to > self.from { self } else { Self { to: self.from + 1.0, ..self } }
    }

    fn share(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// Four to eight round numbers along an axis.
fn ticks(axis: Axis) -> Vec<f64> {
    let rough = (axis.to - axis.from) / 5.0;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude).into_iter().find(|&step| step >= rough);
    let step = step.unwrap_or(rough);
    let mut value = (axis.from / step).ceil() * step;
    let mut ticks = Vec::new();
    while value <= axis.to + step * 1e-6 && ticks.len() < 12 {
        ticks.push(value);
        value += step;
    }
    ticks
}

/// A number in few characters: `850`, `1.5k`, `12M`.
pub(crate) fn short(value: f64) -> String {
    let (scaled, letter) = match value.abs() {
        large if large >= 1e9 => (value / 1e9, "G"),
        large if large >= 1e6 => (value / 1e6, "M"),
        large if large >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{}{letter}", if text == "-0" { "0" } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let axis = |to| Axis { from: 0.0, to, unit: "" };
        assert_eq!(ticks(axis(1_000.0)), [0.0, 200.0, 400.0, 600.0, 800.0, 1_000.0]);
        assert_eq!(ticks(axis(0.7)).len(), 4);
        assert!(ticks(axis(1.0).wide()).len() >= 4);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 0.5, 850.0, 12_500.0, 3e6].map(short), ["0", "0.5", "850", "12.5k", "3M"]);
    }
}
