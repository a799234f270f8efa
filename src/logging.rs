//! Log lines, for people and for programs (spec nvr 1.6).
//!
//! Every line has level, logger, component and event; a message is extra. Lines go to standard
//! error and, if asked for, to a file that is rotated at 10 MiB with five old ones kept.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate, compression::Compression};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};
use vigia_core::config::{self, LogLevel};

use crate::clock;

const FILE_BYTES_MAX: usize = 10 * 1024 * 1024;
const FILES_OLD_MAX: usize = 5;
const LINES_WAITING_MAX: usize = 1024;
const FLUSH_FOR: Duration = Duration::from_secs(1);

/// The way to the thread that writes, as global as the subscriber that uses it.
static WRITER: OnceLock<Sender<Entry>> = OnceLock::new();

/// Starts logging for this process. A second call changes nothing. Lines are written by a thread
/// of its own, so that a stuck reader or a slow disk never holds up who logs.
///
/// # Errors
/// If the log file can't be opened or there is no thread.
pub fn start(log: &config::Log) -> std::io::Result<Guard> {
    let file = match &log.file {
        None => None,
        Some(path) => Some((open(Path::new(path))?, Path::new(path).to_owned())),
    };
    let (tell, lines) = bounded(LINES_WAITING_MAX);
    std::thread::Builder::new().name("log".into()).spawn(move || write_lines(&lines, file))?;
    let layer =
        Lines { json: log.json, level: level(log.level), tell: tell.clone(), lost: AtomicU64::new(0) };
    let _ = WRITER.set(tell.clone());
    // Only a test that starts two programs in one process comes here twice.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(layer));
    Ok(Guard(tell))
}

/// Dropped at the end of the program: waits until what was logged is written.
#[derive(Debug)]
pub struct Guard(Sender<Entry>);

impl Drop for Guard {
    fn drop(&mut self) {
        wait_for(&self.0);
    }
}

/// For who ends the process without returning: waits, not for ever, until what was logged is written.
pub fn flush() {
    if let Some(writer) = WRITER.get() {
        wait_for(writer);
    }
}

fn wait_for(writer: &Sender<Entry>) {
    let (done, written) = bounded(1);
    if writer.send_timeout(Entry::Flush(done), FLUSH_FOR).is_ok() {
        let _ = written.recv_timeout(FLUSH_FOR);
    }
}

#[derive(Debug)]
enum Entry {
    Line(String),
    Flush(Sender<()>),
}

fn write_lines(lines: &Receiver<Entry>, mut file: Option<(FileRotate<AppendCount>, PathBuf)>) {
    for entry in lines {
        let text = match entry {
            Entry::Line(text) => text,
            Entry::Flush(done) => {
                let _ = done.send(());
                continue;
            }
        };
        // Nobody is left to tell when standard error is gone.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
        if let Some((file, path)) = &mut file
            && path.parent().is_none_or(|p| p.as_os_str().is_empty() || p.is_dir())
        {
            // Rotation panics where the folder is gone; hence the look at it.
            let _ = file.write_all(text.as_bytes()).and_then(|()| file.flush());
        }
    }
}

fn open(path: &Path) -> std::io::Result<FileRotate<AppendCount>> {
    // FileRotate panics where it can't open; find out first.
    std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    let limit = ContentLimit::BytesSurpassed(FILE_BYTES_MAX);
    Ok(FileRotate::new(path, AppendCount::new(FILES_OLD_MAX), limit, Compression::None, None))
}

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Trace => Level::TRACE,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warn => Level::WARN,
        LogLevel::Error => Level::ERROR,
    }
}

struct Lines {
    json: bool,
    level: Level,
    tell: Sender<Entry>,
    /// Lines that found the queue full.
    lost: AtomicU64,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        // Other crates' chatter is interesting only when it warns.
        let ours = meta.target().starts_with("vigia");
        if *meta.level() > self.level || (!ours && *meta.level() > Level::WARN) {
            return;
        }
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let line = Line { level: *meta.level(), logger: meta.target(), fields: fields.0 };
        let text = if self.json { line.json() } else { line.human() };
        match self.tell.try_send(Entry::Line(text)) {
            Ok(()) => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::warn!(
                        component = "log",
                        event = "lines_lost",
                        lost,
                        "the log could not keep up"
                    );
                }
            }
            Err(_) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// One line, before it is written.
struct Line<'a> {
    level: Level,
    logger: &'a str,
    fields: Map<String, Value>,
}

impl Line<'_> {
    fn take(&mut self, key: &str) -> Option<String> {
        self.fields.remove(key).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
    }

    fn component(&mut self) -> String {
        self.take("component").unwrap_or_else(|| self.logger.rsplit("::").next().unwrap_or("-").to_owned())
    }

    fn json(mut self) -> String {
        let component = self.component();
        let event = self.take("event").unwrap_or_else(|| "-".into());
        let message = self.take("message").unwrap_or_default();
        if let Some(error) = self.take("error") {
            self.fields.insert("error_type".into(), Value::from(event.clone()));
            self.fields.insert("error_message".into(), error.into());
        }
        let mut out = Map::new();
        out.insert("timestamp".into(), clock::utc().to_string().into());
        out.insert("level".into(), self.level.as_str().into());
        out.insert("logger".into(), self.logger.into());
        out.insert("message".into(), message.into());
        out.insert("component".into(), component.into());
        out.insert("event".into(), event.into());
        out.append(&mut self.fields);
        format!("{}\n", Value::Object(out))
    }

    fn human(mut self) -> String {
        let component = self.component();
        let event = self.take("event").unwrap_or_else(|| "-".into());
        let message = self.take("message").unwrap_or_default();
        let time = clock::utc().0.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let mut line = format!("{time} | {} | {component} | {event} | {message}", self.level);
        for (key, value) in &self.fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            line.push_str(&format!(" {key}={value}"));
        }
        line.push('\n');
        line
    }
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &[(&str, &str)]) -> Line<'static> {
        let fields = fields.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect();
        Line { level: Level::WARN, logger: "vigia::camera", fields }
    }

    // Spec nvr B-24: level, logger, component and event are never null.
    #[test]
    fn json_has_every_field_filled() {
        let text = line(&[("message", "gone"), ("event", "stream_down"), ("error", "boom")]).json();
        let v: Value = serde_json::from_str(&text).expect("JSON");
        for (key, want) in [
            ("level", "WARN"),
            ("logger", "vigia::camera"),
            ("component", "camera"),
            ("event", "stream_down"),
            ("message", "gone"),
            ("error_message", "boom"),
            ("error_type", "stream_down"),
        ] {
            assert_eq!(v[key], want, "{text}");
        }
        assert!(v["timestamp"].as_str().is_some_and(|t| t.ends_with('Z')), "{text}");
    }

    #[test]
    fn people_get_five_columns() {
        let text = line(&[("message", "gone"), ("source_id", "3")]).human();
        let columns: Vec<_> = text.trim_end().split(" | ").collect();
        assert_eq!(columns[1..], ["WARN", "camera", "-", "gone source_id=3"]);
        assert_eq!(columns[0].len(), "2026-01-01 00:00:00".len());
    }
}
