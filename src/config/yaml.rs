//! YAML to a tree with line numbers.
//!
//! Takes what a configuration needs and refuses the rest by name: no anchors (so a small
//! file stays small), no tags, no second document, no key twice, no deep nesting.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::FILE_BYTES_MAX;
use super::marks::{Entry, Node, Value};
use super::report::{Origin, Report, shown};

const DEPTH_MAX: usize = 16;

/// The tree in `bytes`, an empty map for an empty file; `None` after a syntax error,
/// which is reported.
pub(super) fn parse(bytes: &[u8], file: &Origin, report: &mut Report) -> Option<Node> {
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_BYTES_MAX) {
        let message = format!("is larger than {} KiB: not a configuration file", FILE_BYTES_MAX / 1024);
        report.add(file.clone(), "", message);
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(e) => {
            let before = bytes.get(..e.valid_up_to()).unwrap_or(bytes);
            let line = before.iter().filter(|b| **b == b'\n').count() + 1;
            report.add(file.at_line(line), "", "is not UTF-8 text: not a configuration file".to_owned());
            return None;
        }
    };
    let mut tree = Tree { file, report, open: Vec::new(), root: None };
    // YAML forbids most of these; none of them is ever meant.
    if let Some(at) = text.find(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        let line = text.get(..at).unwrap_or("").matches('\n').count() + 1;
        return tree.refuse(line, "holds a control character: not a configuration file");
    }
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => tree.event(event, span)?,
            Err(e) => {
                let message = format!("is not valid YAML: {}", shown(e.info()));
                return tree.refuse(e.marker().line(), &message);
            }
        }
    }
    Some(match tree.root {
        None | Some(Node { value: Value::Null, .. }) => Node::empty_map(file.clone()),
        Some(root) => root,
    })
}

/// A tree under construction.
struct Tree<'a> {
    file: &'a Origin,
    report: &'a mut Report,
    /// Lists and maps that are not closed yet, outermost first.
    open: Vec<Open>,
    root: Option<Node>,
}

enum Open {
    List { origin: Origin, items: Vec<Node> },
    Map { origin: Origin, entries: BTreeMap<String, Entry>, key: Option<(String, Origin)> },
}

impl Tree<'_> {
    /// `None` ends the parse; the reason is in the report.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let line = span.start.line();
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Some(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                self.refuse(line, "holds a second document (---): one file, one document")
            }
            Event::DocumentStart(_) => Some(()),
            Event::Alias(_) => self.refuse(line, "uses an alias (*name): write the value out"),
            Event::Scalar(_, _, 1.., _) | Event::SequenceStart(1.., _) | Event::MappingStart(1.., _) => {
                self.refuse(line, "uses an anchor (&name): write the value out")
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => self.refuse(line, "uses a tag (!name): leave it out"),
            Event::Scalar(text, style, _, None) => self.scalar(text.into_owned(), style, line),
            Event::SequenceStart(_, None) => {
                let origin = self.origin_of_group(line);
                self.enter(Open::List { origin, items: Vec::new() }, line)
            }
            Event::MappingStart(_, None) => {
                let origin = self.origin_of_group(line);
                self.enter(Open::Map { origin, entries: BTreeMap::new(), key: None }, line)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop()? {
                Open::List { origin, items } => self.place(Node { origin, value: Value::List(items) }),
                Open::Map { origin, entries, .. } => self.place(Node { origin, value: Value::Map(entries) }),
            },
        }
    }

    fn enter(&mut self, open: Open, line: usize) -> Option<()> {
        if self.open.len() >= DEPTH_MAX {
            return self.refuse(line, "is nested too deeply");
        }
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            return self.refuse(line, "has a list or map as a key: keys are words");
        }
        self.open.push(open);
        Some(())
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, line: usize) -> Option<()> {
        let origin = self.file.at_line(line);
        if let Some(Open::Map { key: key @ None, .. }) = self.open.last_mut() {
            *key = Some((text, origin));
            return Some(());
        }
        let value = if style == ScalarStyle::Plain { plain(text) } else { Value::Text(text) };
        self.place(Node { origin, value })
    }

    fn place(&mut self, node: Node) -> Option<()> {
        let is_twice = match self.open.last() {
            Some(Open::Map { entries, key: Some((key, _)), .. }) => entries.contains_key(key),
            Some(Open::Map { key: None, .. } | Open::List { .. }) | None => false,
        };
        let path = if is_twice { self.path() } else { String::new() };
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => {
                let (name, origin) = key.take()?;
                match entries.entry(name) {
                    Slot::Vacant(slot) => {
                        slot.insert(Entry { key: origin, node });
                    }
                    Slot::Occupied(first) => {
                        let message = format!("is given twice: first at {}", first.get().key);
                        self.report.add(origin, &path, message);
                    }
                }
            }
        }
        Some(())
    }

    /// A list or map is where its key is, not where its first item is.
    fn origin_of_group(&self, line: usize) -> Origin {
        match self.open.last() {
            Some(Open::Map { key: Some((_, origin)), .. }) => origin.clone(),
            Some(Open::Map { key: None, .. } | Open::List { .. }) | None => self.file.at_line(line),
        }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match open {
                Open::List { items, .. } => path += &format!("[{}]", items.len()),
                Open::Map { key, .. } => {
                    let key = key.as_ref().map(|(key, _)| shown(key)).unwrap_or_default();
                    path += if path.is_empty() { "" } else { "." };
                    path += &key;
                }
            }
        }
        path
    }

    fn refuse<T>(&mut self, line: usize, message: &str) -> Option<T> {
        self.report.add(self.file.at_line(line), "", message.to_owned());
        None
    }
}

/// An unquoted word, by the core schema of YAML 1.2: `no` is text, `010` is ten.
fn plain(text: String) -> Value {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.get(..1).unwrap_or(""), digits),
        None => ("", text.as_str()),
    };
    let is_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Value::Float(if sign == "-" { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if let Some(int) = radix(&text) {
        return Value::Int(int);
    }
    if is_digits(digits)
        && let Ok(int) = text.parse()
    {
        return Value::Int(int);
    }
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    match text.parse::<f64>() {
        Ok(float) if is_number => Value::Float(float),
        Ok(_) | Err(_) => Value::Text(text),
    }
}

fn radix(text: &str) -> Option<i64> {
    let (digits, radix) = match text.get(..2)? {
        "0x" => (text.get(2..)?, 16),
        "0o" => (text.get(2..)?, 8),
        _ => return None,
    };
    // from_str_radix would take a sign here.
    let is_plain = digits.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_plain { i64::from_str_radix(digits, radix).ok() } else { None }
}
