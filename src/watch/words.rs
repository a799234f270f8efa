//! Numbers and texts as a person reads them.

use std::collections::BTreeMap;
use std::time::Duration;

use vigia_core::event::{NamedDetection, Utc};

const TEXT_CHARS_MAX: usize = 160;

/// `text` as it may be shown: short, and unable to command the terminal.
pub(super) fn clean(text: &str) -> String {
    let mut out: String = text.chars().take(TEXT_CHARS_MAX).map(harmless).collect();
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

/// Control characters, and those that turn the writing direction, are replaced.
fn harmless(c: char) -> char {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}') { '\u{fffd}' } else { c }
}

/// `v` with so many decimals, and never longer than a column bears.
pub(super) fn number(v: f64, decimals: usize) -> String {
    if v.abs() < 1e7 { format!("{v:.decimals$}") } else { format!("{v:.0e}") }
}

pub(super) fn or_dash(v: Option<String>) -> String {
    v.unwrap_or_else(|| "-".to_owned())
}

/// `1 message`, `2 messages`.
pub(super) fn counted(n: impl Into<u64>, what: &str) -> String {
    let n = n.into();
    if n == 1 { format!("{n} {what}") } else { format!("{n} {what}s") }
}

/// A time span in one unit: `0.4 s`, `12 s`, `3 min`.
pub(super) fn age(d: Duration) -> String {
    match d.as_secs() {
        0..10 => format!("{:.1} s", d.as_secs_f32()),
        s @ 10..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// A longer time span in two units: `1 h 02 min`.
pub(super) fn span(d: Duration) -> String {
    match d.as_secs() {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min {:02} s", s / 60, s % 60),
        s @ 3_600..86_400 => format!("{} h {:02} min", s / 3_600, s / 60 % 60),
        s => format!("{} d {:02} h", s / 86_400, s / 3_600 % 24),
    }
}

/// Time of day in UTC, with milliseconds.
pub(super) fn clock_time(t: Utc) -> String {
    t.0.strftime("%H:%M:%S%.3f").to_string()
}

/// `2 person, 1 car`: the most frequent first.
pub(super) fn summary(detections: &[NamedDetection]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for d in detections {
        *counts.entry(&d.class_name).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
    if counts.is_empty() {
        return "nothing".to_owned();
    }
    counts.iter().map(|(name, n)| format!("{n} {name}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_harmless_and_short() {
        assert_eq!(clean("a\u{1b}[2Jb\n\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c");
        assert_eq!(clean(&"é".repeat(161)), format!("{}…", "é".repeat(160)));
        assert_eq!(clean(&"é".repeat(160)), "é".repeat(160));
    }

    #[test]
    fn spans_of_time() {
        for (s, short, long) in [
            (0, "0.0 s", "0 s"),
            (9, "9.0 s", "9 s"),
            (119, "119 s", "1 min 59 s"),
            (3_720, "62 min", "1 h 02 min"),
            (90_000, "25 h", "1 d 01 h"),
            (u64::MAX, "213503982334601 d", "213503982334601 d 07 h"),
        ] {
            let d = Duration::from_secs(s);
            assert_eq!((age(d).as_str(), span(d).as_str()), (short, long));
        }
        assert_eq!(number(f64::INFINITY, 1), "inf");
        assert_eq!((number(1e300, 1).as_str(), number(12.345, 1).as_str()), ("1e300", "12.3"));
    }
}
