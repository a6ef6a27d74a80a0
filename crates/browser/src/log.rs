//! What `tracing` tells, on the browser's console: for whoever asks for it. Until then nobody listens, and it costs nothing.
//!
//! Each instance, on the window and in the worker, is asked by itself. Our own crates are heard at the level asked for,
//! all others only when they warn. Bounds: a span is kept while it lives.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::console;

/// Whose words are wanted.
const OURS: [&str; 2] = ["tabchain", "libp2p_webrtc_browser"];
const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

/// The place in [`LEVELS`] of what is told.
static WANTED: AtomicU8 = AtomicU8::new(0);

thread_local! {
    static SPANS: RefCell<Spans> = RefCell::default();
}

/// Tells on the console from now on what this instance does: `error`, `warn`, `info`, `debug` or `trace`. Any other word
/// changes nothing.
#[wasm_bindgen]
pub fn log(
    #[wasm_bindgen(unchecked_param_type = "'error' | 'warn' | 'info' | 'debug' | 'trace'")] level: &str,
) {
    if let Some(wanted) = (0u8..).zip(LEVELS).find_map(|(place, (word, _))| (word == level).then_some(place))
    {
        WANTED.store(wanted, Ordering::Relaxed);
        // An error says that it is there already: then only the level is new.
        tracing::subscriber::set_global_default(Console).ok();
        tracing::callsite::rebuild_interest_cache();
    }
}

struct Console;

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let (_, wanted) = LEVELS[usize::from(WANTED.load(Ordering::Relaxed))];
        let is_ours = OURS.iter().any(|ours| metadata.target().starts_with(ours));
        *metadata.level() <= if is_ours { wanted } else { wanted.min(Level::WARN) }
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text(span.metadata().name().to_owned());
        span.record(&mut text);
        SPANS.with_borrow_mut(|spans| spans.add(text))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        SPANS.with_borrow_mut(|spans| {
            if let Some((text, _)) = spans.alive.get_mut(&span.into_u64()) {
                values.record(text);
            }
        });
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut text = Text(metadata.target().to_owned());
        SPANS.with_borrow(|spans| {
            for (span, _) in spans.entered.iter().filter_map(|id| spans.alive.get(id)) {
                // Writing to a string does not fail.
                let _ = write!(text.0, " [{}]", span.0);
            }
        });
        event.record(&mut text);
        let line = JsValue::from_str(&text.0);
        match *metadata.level() {
            Level::ERROR => console::error_1(&line),
            Level::WARN => console::warn_1(&line),
            Level::INFO => console::info_1(&line),
            _ => console::debug_1(&line),
        }
    }

    fn enter(&self, span: &Id) {
        SPANS.with_borrow_mut(|spans| spans.entered.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        SPANS.with_borrow_mut(|spans| {
            if let Some(place) = spans.entered.iter().rposition(|id| *id == span.into_u64()) {
                spans.entered.remove(place);
            }
        });
    }

    fn clone_span(&self, span: &Id) -> Id {
        SPANS.with_borrow_mut(|spans| {
            if let Some((_, holders)) = spans.alive.get_mut(&span.into_u64()) {
                *holders += 1;
            }
        });
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        SPANS.with_borrow_mut(|spans| spans.let_go(span.into_u64()))
    }
}

/// The spans that live, with how many hold each, and those that are entered, outermost first.
#[derive(Default)]
struct Spans {
    alive: HashMap<u64, (Text, usize)>,
    entered: Vec<u64>,
    last: u64,
}

impl Spans {
    fn add(&mut self, text: Text) -> Id {
        self.last += 1;
        self.alive.insert(self.last, (text, 1));
        Id::from_u64(self.last)
    }

    /// Returns whether nobody holds it any more.
    fn let_go(&mut self, id: u64) -> bool {
        let Some((_, holders)) = self.alive.get_mut(&id) else { return false };
        *holders -= 1;
        let is_last = *holders == 0;
        if is_last {
            self.alive.remove(&id);
        }
        is_last
    }
}

/// A line in the making: a message as it is, other fields with their names.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use js_sys::{Array, Function, Reflect};
    use wasm_bindgen::JsCast;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    /// What reaches `console.debug` while `act` runs.
    fn told(act: impl FnOnce()) -> Vec<String> {
        let console = Reflect::get(&js_sys::global(), &"console".into()).expect("there is a console");
        let original = Reflect::get(&console, &"debug".into()).expect("it has levels");
        let lines = Array::new();
        let keep: Function = Function::new_with_args("line", "this.push(line)").bind(&lines);
        Reflect::set(&console, &"debug".into(), &keep).expect("it can be replaced");
        act();
        Reflect::set(&console, &"debug".into(), &original).expect("and put back");
        lines.iter().filter_map(|line| line.dyn_into::<js_sys::JsString>().ok()).map(String::from).collect()
    }

    #[wasm_bindgen_test]
    fn what_was_asked_for_is_told_with_where_it_happened() {
        let act = || {
            let span = tracing::debug_span!("webrtc", side = "ours");
            let _entered = span.enter();
            tracing::debug!(peer = 7, "directly connected");
            tracing::trace!("too much");
            tracing::debug!(target: "libp2p_swarm", "not ours");
        };
        assert_eq!(told(act), [""; 0]);
        log("loud");
        assert_eq!(told(act), [""; 0]);
        log("debug");
        let target = module_path!();
        assert_eq!(told(act), [format!("{target} [webrtc side=ours] directly connected peer=7")]);
        log("warn");
        assert_eq!(told(act), [""; 0]);
    }
}
