//! What is wrong, where it was written, and how it is told.

use std::fmt;
use std::sync::Arc;

use vigia_core::config::check::Fault;
use vigia_core::config::{Wrong, masked};

use super::marks::Node;
use super::shape::Schema;

/// More than this is not a configuration but some other file.
const VIOLATIONS_MAX: usize = 500;
const SHOWN_CHARS_MAX: usize = 120;
const REASON_CHARS_MAX: usize = 300;

/// Files in the order they are merged; the secrets file is read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    Board,
    Site,
    Secrets,
}

/// Where a setting was written. Line 0 is the file as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Defaults { line: usize },
    File { layer: Layer, name: Arc<str>, line: usize },
    Environment { name: Arc<str> },
    Flag { name: Arc<str> },
}

impl Origin {
    pub(super) fn file(layer: Layer, name: &str, line: usize) -> Self {
        Self::File { layer, name: name.into(), line }
    }

    pub(super) fn at_line(&self, line: usize) -> Self {
        match self {
            Self::Defaults { .. } => Self::Defaults { line },
            Self::File { layer, name, .. } => Self::File { layer: *layer, name: Arc::clone(name), line },
            Self::Environment { .. } | Self::Flag { .. } => self.clone(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults { line: 0 } => f.write_str("built-in defaults"),
            Self::Defaults { line } => write!(f, "built-in defaults:{line}"),
            Self::File { name, line: 0, .. } => f.write_str(name),
            Self::File { name, line, .. } => write!(f, "{name}:{line}"),
            Self::Environment { name } => write!(f, "environment {name}"),
            Self::Flag { name } => write!(f, "flag {name}"),
        }
    }
}

/// One thing that is wrong. `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub origin: Origin,
    /// As in `streams[0].max_fps`; empty for a file as a whole.
    pub path: String,
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return write!(f, "{}: {}", self.origin, self.message);
        }
        write!(f, "{}: {}: {}", self.origin, self.path, self.message)
    }
}

/// All that is wrong with a configuration; never empty. `Display` is one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub violations: Vec<Violation>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, violation) in self.violations.iter().enumerate() {
            let line_end = if at == 0 { "" } else { "\n" };
            write!(f, "{line_end}{violation}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects violations, and knows which settings were refused for their shape already.
#[derive(Debug, Default)]
pub(super) struct Report {
    violations: Vec<Violation>,
    refused: Vec<String>,
    omitted: usize,
}

impl Report {
    pub(super) fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.violations.len() + self.omitted
    }

    pub(super) fn add(&mut self, origin: Origin, path: &str, message: String) {
        if self.violations.len() >= VIOLATIONS_MAX {
            self.omitted += 1;
            return;
        }
        self.violations.push(Violation { origin, path: path.to_owned(), message });
    }

    /// A value of the wrong shape: its layer goes on without it.
    pub(super) fn refuse(&mut self, origin: Origin, path: &str, message: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.refused.push(path.to_owned());
        }
        self.add(origin, path, message);
    }

    /// A key that has to be there; silent if it was there but refused.
    pub(super) fn add_missing(&mut self, origin: Origin, path: &str) {
        if !self.was_refused(path) {
            self.add(origin, path, Wrong::Missing.to_string());
        }
    }

    /// A rule that was broken by the merged settings.
    pub(super) fn add_fault(&mut self, fault: &Fault, tree: &Node, schema: &Schema) {
        let is_echo = match &fault.with {
            Some(with) => self.was_refused(with),
            None => fault.wrong == Wrong::Missing && self.was_refused(&fault.path),
        };
        if is_echo {
            return;
        }
        let hint = schema.hint(&fault.path).map(|hint| format!(" ({hint})")).unwrap_or_default();
        let reason = clipped(&fault.wrong.to_string(), REASON_CHARS_MAX);
        self.add(tree.origin_of(&fault.path), &fault.path, format!("{reason}{hint}"));
    }

    /// Whether `path`, or what it lies in, has been reported already.
    fn was_refused(&self, path: &str) -> bool {
        self.refused.iter().any(|refused| {
            path.strip_prefix(refused.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    pub(super) fn into_error(mut self) -> ConfigError {
        self.violations.sort_by(|a, b| a.origin.cmp(&b.origin));
        if let (Some(last), 1..) = (self.violations.last(), self.omitted) {
            let message = format!("and {} more", self.omitted);
            let origin = last.origin.clone();
            self.violations.push(Violation { origin, path: String::new(), message });
        }
        ConfigError { violations: self.violations }
    }
}

/// Text from a file as it may be shown: on one line, not too long, without passwords.
pub(super) fn shown(text: &str) -> String {
    clipped(&masked(text), SHOWN_CHARS_MAX)
}

fn clipped(text: &str, chars_max: usize) -> String {
    let visible = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut clipped: String = visible.take(chars_max).collect();
    if text.chars().nth(chars_max).is_some() {
        clipped.push('…');
    }
    clipped
}
