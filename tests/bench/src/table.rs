//! The table, for people.

use std::fmt;

use crate::{
    comparison::Compared,
    load::CONNECTIONS,
    memory::Remembered,
    route::{Figures, Route},
    statistics::{Target, median, ratio},
};

/// What was measured, and what was wanted.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    pub(crate) compared: &'a Compared,
    pub(crate) remembered: &'a Remembered,
    pub(crate) tokens: usize,
}

const RATE: fn(&Figures) -> f64 = |figures| figures.rate;
const P50: fn(&Figures) -> f64 = |figures| figures.p50;
const P99: fn(&Figures) -> f64 = |figures| figures.p99;
const WORK: fn(&Figures) -> f64 = |figures| figures.work;

impl Table<'_> {
    fn routes(&self) -> [&Route; 10] {
        let Compared {
            bare,
            layer,
            guarded,
            with_origin,
            lookup,
            cold,
            small,
            small_cold,
            introspection,
            gateway,
        } = self.compared;
        [bare, layer, guarded, with_origin, small, lookup, cold, small_cold, introspection, gateway]
    }

    /// How many lookups asking about a token is worth: each by the time that it adds to a request.
    fn lookups(&self) -> f64 {
        let added = |slow: &Route, fast: &Route| -> Vec<f64> {
            let pairs = slow.rounds(RATE).into_iter().zip(fast.rounds(RATE));
            pairs.map(|(slow, fast)| 1.0 / slow - 1.0 / fast).collect()
        };
        let compared = self.compared;
        ratio(&added(&compared.cold, &compared.guarded), &added(&compared.lookup, &compared.bare))
    }

    fn comparisons(&self) -> [(String, f64, Target); 12] {
        let Compared {
            bare,
            layer,
            guarded,
            with_origin,
            cold,
            small,
            small_cold,
            introspection,
            gateway,
            ..
        } = self.compared;
        let of = |route: &Route, other: &Route, figure| ratio(&route.rounds(figure), &other.rounds(figure));
        let rows = self.tokens;
        [
            ("layer : bare, requests/s".to_owned(), of(layer, bare, RATE), Target::AtLeast(0.9)),
            ("layer : bare, p99".to_owned(), of(layer, bare, P99), Target::AtMost(1.5)),
            ("guarded : bare, requests/s".to_owned(), of(guarded, bare, RATE), Target::AtLeast(0.9)),
            ("guarded : bare, p99".to_owned(), of(guarded, bare, P99), Target::AtMost(1.5)),
            ("with an Origin : bare, requests/s".to_owned(), of(with_origin, bare, RATE), Target::Told),
            ("with an Origin : bare, p99".to_owned(), of(with_origin, bare, P99), Target::Told),
            ("what cold adds, in lookups".to_owned(), self.lookups(), Target::AtMost(3.0)),
            // Flat: a level more in a tree is no cause for more than this.
            (format!("remembered, {rows} rows : 1 k, time"), of(small, guarded, RATE), Target::AtMost(1.1)),
            (format!("cold, {rows} rows : 1 k, time"), of(small_cold, cold, RATE), Target::AtMost(1.25)),
            ("introspection : bare, requests/s".to_owned(), of(introspection, bare, RATE), Target::Told),
            ("gateway : direct, requests/s".to_owned(), of(gateway, bare, RATE), Target::Told),
            (
                format!("bytes for each of {} remembered tokens", self.remembered.tokens),
                self.remembered.bytes_per_token(),
                Target::AtMost(200.0),
            ),
        ]
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{CONNECTIONS} connections, {} tokens; medians over the rounds\n", self.tokens)?;
        writeln!(f, "{:<38}{:>12}{:>10}{:>10}{:>14}", "", "requests/s", "p50 µs", "p99 µs", "processor µs")?;
        for route in self.routes() {
            let [rate, p50, p99, work] = [RATE, P50, P99, WORK].map(|figure| route.median(figure));
            writeln!(f, "{:<38}{rate:>12.0}{p50:>10.0}{p99:>10.0}{work:>14.1}", route.name)?;
        }
        writeln!(f, "\n{:<48}{:>10}{:>12}", "", "measured", "target")?;
        let mut missed = 0;
        for (name, value, target) in self.comparisons() {
            missed += usize::from(target.is_met(value) == Some(false));
            writeln!(f, "{name:<48}{value:>10.2}{target:>12}  {}", target.word(value))?;
        }
        let Remembered { without, with, .. } = self.remembered;
        writeln!(
            f,
            "\nmemory of the process: {} kB without them, {} kB with them",
            without / 1024,
            with / 1024
        )?;
        let rates = self.compared.bare.rounds(RATE);
        let spread =
            rates.iter().fold((f64::MAX, 0.0_f64), |(low, high), rate| (low.min(*rate), high.max(*rate)));
        let (low, high) = (spread.0 / median(&rates), spread.1 / median(&rates));
        writeln!(f, "the bare route's rounds lay between {low:.2} and {high:.2} of their median")?;
        match missed {
            0 => writeln!(f, "every target is met"),
            missed => writeln!(f, "{missed} of the targets MISSED"),
        }
    }
}
