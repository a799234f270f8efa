//! What was tried, as people read it.

use std::fmt;
use std::time::Duration;

/// One scenario.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: &'static str,
    pub is_good: bool,
    pub took: Duration,
    /// What was seen, or why it failed.
    pub seen: String,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_good { "ok" } else { "FAILED" };
        write!(f, "| {} | {verdict} | {:.0} s | {} |", self.name, self.took.as_secs_f64(), self.seen)
    }
}

/// All rows, in the form of docs/firmware.md.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
    format!("| scenario | | time | seen |\n|---|---|---|---|\n{}", lines.join("\n"))
}
