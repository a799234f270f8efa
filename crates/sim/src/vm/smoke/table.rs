//! What was checked, as people read it.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::vm::rig::RigError;
use crate::vm::wire::Spread;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub name: &'static str,
    pub is_good: bool,
    /// What was seen, or why it failed.
    pub seen: String,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_good { "ok" } else { "FAILED" };
        write!(f, "{:<26} {verdict:<7} {}", self.name, self.seen)
    }
}

/// All checks, in order.
pub struct Table<'a> {
    rows: Vec<Row>,
    tell: Box<dyn FnMut(&Row) + 'a>,
}

impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Table").field(&self.rows).finish()
    }
}

impl<'a> Table<'a> {
    pub(in crate::vm) fn new(tell: impl FnMut(&Row) + 'a) -> Self {
        Self { rows: Vec::new(), tell: Box::new(tell) }
    }

    pub(in crate::vm) fn check(&mut self, name: &'static str, seen: Result<String, RigError>) {
        let (is_good, seen) = seen.map_or_else(|e| (false, e.to_string()), |seen| (true, seen));
        let row = Row { name, is_good, seen };
        (self.tell)(&row);
        self.rows.push(row);
    }

    pub(in crate::vm) fn note(&mut self, text: &str) {
        self.check("note", Err(RigError::Not(text.to_owned())));
    }

    /// Whether nothing failed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.rows.iter().all(|row| row.is_good)
    }

    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

/// Latencies, and what they come to.
#[derive(Debug, Clone, Default)]
pub struct Spans(Vec<Duration>);

impl Spans {
    pub fn add(&mut self, span: Duration) {
        self.0.push(span);
    }

    /// Nearest rank, in per mille.
    #[must_use]
    pub fn rank(&self, per_mille: usize) -> Option<Duration> {
        let mut all = self.0.clone();
        all.sort_unstable();
        let place = (all.len() * per_mille).div_ceil(1000).max(1);
        all.get(place - 1).copied()
    }

    #[must_use]
    pub fn sentence(&self) -> String {
        let mut text = String::new();
        for (name, per_mille) in [("p50", 500), ("p99", 990), ("max", 1000)] {
            let shown = self.rank(per_mille).map_or("-".to_owned(), ms);
            // Writing into a string does not fail.
            write!(text, "{}{name} {shown}", if text.is_empty() { "" } else { ", " }).unwrap_or_default();
        }
        text
    }
}

#[must_use]
pub(in crate::vm) fn ms(span: Duration) -> String {
    format!("{:.2} ms", span.as_secs_f64() * 1e3)
}

pub(in crate::vm) fn jitter(spread: &Spread) -> String {
    let span = |ns| ms(Duration::from_nanos(ns));
    let Spread { samples, p50, p99, p999, max } = *spread;
    format!("p50 {}, p99 {}, p99.9 {}, max {} of {samples}", span(p50), span(p99), span(p999), span(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_nearest_ranks() {
        let mut spans = Spans::default();
        assert_eq!(spans.sentence(), "p50 -, p99 -, max -");
        (1..=200).rev().for_each(|n| spans.add(Duration::from_millis(n)));
        assert_eq!(spans.sentence(), "p50 100.00 ms, p99 198.00 ms, max 200.00 ms");
    }

    #[test]
    fn one_failure_fails_the_table() {
        let mut told = Vec::new();
        let mut table = Table::new(|row| told.push(row.to_string()));
        table.check("a", Ok("fine".to_owned()));
        assert!(table.is_good());
        table.check("b", Err(RigError::Not("broken".to_owned())));
        assert!(!table.is_good());
        drop(table);
        assert!(told[0].contains("ok") && told[1].contains("FAILED"), "{told:?}");
    }
}
