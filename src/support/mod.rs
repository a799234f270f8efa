//! What somebody elsewhere needs to help a box, in one file, without a secret.
//!
//! Everything passes through one [`Veil`]: what the site's files hold as passwords is taken out wherever it stands, and so
//! is whatever stands before the @ of an address, and private keys. What can't be had is said in its place.

pub mod request;

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use vigia_core::config::masked;

use crate::clock;
use crate::config::{self, Config};
use crate::update::report::Report;
use crate::update::{Places, rest, tool};

const TOOL_MAX: Duration = Duration::from_secs(60);
/// Of one entry.
const ENTRY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Shorter ones would take ordinary words out.
const SECRET_LEN_MIN: usize = 3;
const UNITS: [&str; 11] = [
    "vigia",
    "vigia-pump",
    "vigia-broker",
    "vigia-setup",
    "vigia-data",
    "vigia-kept",
    "vigia-verdict",
    "vigia-update",
    "rauc",
    "chrony*",
    "vigia-usb@*",
];

/// Takes secrets out of texts.
#[derive(Debug, Default)]
pub struct Veil {
    /// Longest first, so that one that holds another goes whole.
    secrets: Vec<String>,
}

impl Veil {
    /// Of all that this configuration knows, and of these files, each line of which may be one.
    #[must_use]
    pub fn of(config: Option<&Config>, files: &[&Path]) -> Self {
        let mut secrets = Vec::new();
        if let Some(config) = config {
            // To take them out, they must be looked at.
            secrets.extend(config.mqtt.password.iter().map(|s| s.expose().to_owned()));
            for stream in &config.streams {
                secrets.extend(stream.credentials.iter().map(|c| c.password.expose().to_owned()));
                secrets.extend(password_in(stream.uri.expose()));
            }
        }
        for file in files {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            for line in text.lines() {
                // `password: "x"` of a YAML file, or a line that is nothing else.
                let value = line.rsplit_once("password:").map_or(line, |(_, value)| value);
                let value = value.split(['}', ',']).next().unwrap_or_default();
                secrets.push(value.trim().trim_matches(['"', '\'']).to_owned());
            }
        }
        secrets.retain(|secret| secret.len() >= SECRET_LEN_MIN);
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self { secrets }
    }

    #[must_use]
    pub fn over(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut in_key = false;
        for line in text.lines() {
            let starts = line.contains("-----BEGIN") && line.contains("PRIVATE KEY");
            if starts {
                out.push_str("(a private key)\n");
            }
            in_key |= starts;
            if !in_key {
                let known =
                    self.secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret, "***"));
                out.push_str(&addresses(&known));
                out.push('\n');
            }
            in_key &= !(line.contains("-----END") && line.contains("PRIVATE KEY"));
        }
        out
    }
}

/// Each address of a line, without its user and password.
fn addresses(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let start =
            rest[..at].rfind(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).map_or(0, |i| i + 1);
        let ends = |c: char| c.is_whitespace() || "\"'<>".contains(c);
        let end = rest[at..].find(ends).map_or(rest.len(), |i| at + i);
        out.push_str(&rest[..start]);
        out.push_str(&masked(&rest[start..end]));
        rest = &rest[end..];
    }
    out + rest
}

fn password_in(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    let (user, _) = rest.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password.to_owned())
}

/// The files of a box, beside its site's: each line of them may be a secret.
#[must_use]
pub fn secret_files(site: &Path) -> [std::path::PathBuf; 3] {
    let dir = site.parent().unwrap_or(Path::new(""));
    [dir.join("secrets.yaml"), dir.join("mqtt-password"), dir.join("vigia.env")]
}

/// Writes the bundle: `.tar.gz`, a folder `support` with one text per question.
///
/// # Errors
/// The file can't be written. What a question has no answer to stands in the bundle.
pub fn bundle(
    out: impl Write,
    places: &Places,
    board: Option<&Path>,
    site: &Path,
    files: &[&Path],
) -> std::io::Result<()> {
    let config = config::load(board.filter(|path| path.exists()), Some(site), std::iter::empty(), Vec::new());
    let veil = Veil::of(config.as_ref().ok(), files);
    let mut tar = tar::Builder::new(GzEncoder::new(out, Compression::default()));
    let mut add = |name: &str, text: &str| {
        let text = veil.over(text);
        let text = &text.as_bytes()[..text.len().min(ENTRY_BYTES_MAX)];
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let seconds = clock::utc().as_unix_ns() / 1_000_000_000;
        header.set_mtime(u64::try_from(seconds).unwrap_or(0));
        header.set_cksum();
        tar.append_data(&mut header, format!("support/{name}"), text)
    };
    add("about.json", &about(places))?;
    let shown = match &config {
        Ok(config) => serde_json::to_value(config).map_or_else(|e| e.to_string(), |v| format!("{v:#}")),
        Err(e) => format!("it would not start:\n{e}"),
    };
    add("config.txt", &shown)?;
    for (name, path) in [
        ("history.txt", "data/update/history"),
        ("self-test.json", "data/update/self-test.json"),
        ("live.json", "data/update/live.json"),
        ("before.json", "data/update/before.json"),
    ] {
        let text = std::fs::read_to_string(places.at(path));
        add(name, &text.unwrap_or_else(|e| format!("{path}: {e}")))?;
    }
    for (name, program, words) in questions() {
        add(name, &answer(program, &words))?;
    }
    tar.into_inner()?.finish()?.flush()
}

fn about(places: &Places) -> String {
    let rest = rest::ask(places).map_or_else(|e| json!(e.to_string()), |rest| json!(rest));
    let update = Report::read(places).map_or_else(|e| json!(e.to_string()), |report| json!(report));
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let about = json!({
        "vigia": env!("CARGO_PKG_VERSION"), "timestamp": clock::utc(), "uptime_s": clock::now().0 / 1_000_000_000,
        "kernel": text("/proc/version"), "load": text("/proc/loadavg"), "machine": text("/proc/device-tree/model"),
        "rest": rest, "update": update,
    });
    format!("{about:#}")
}

fn questions() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    let mut journal = vec!["--no-pager", "-o", "short-iso", "-n", "20000"];
    journal.extend(UNITS.iter().flat_map(|unit| ["-u", unit]));
    vec![
        ("journal.txt", "journalctl", journal),
        ("kernel.txt", "journalctl", vec!["--no-pager", "-k", "-n", "3000"]),
        ("units.txt", "systemctl", vec!["--no-pager", "--full", "status", "vigia*", "rauc*", "chrony*"]),
        ("failed.txt", "systemctl", vec!["--no-pager", "--failed"]),
        ("disks.txt", "df", vec!["-hT"]),
        ("partitions.txt", "lsblk", vec!["-o", "NAME,SIZE,TYPE,FSTYPE,PARTLABEL,MOUNTPOINTS"]),
        ("memory.txt", "free", vec!["-m"]),
        ("addresses.txt", "ip", vec!["-brief", "address"]),
        ("clock.txt", "chronyc", vec!["-n", "tracking"]),
    ]
}

fn answer(program: &str, words: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(words);
    match tool::run(command, TOOL_MAX) {
        Ok(said) => said.out + &said.err,
        Err(e) => e.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_passes() {
        let veil = Veil { secrets: vec!["geheimer".into(), "geheim".into()] };
        for (text, want) in [
            ("a geheimer b geheim", "a *** b ***\n"),
            ("open rtsp://u:p@10.0.0.1/a?b=1 now", "open rtsp://***@10.0.0.1/a"),
            ("two rtsp://u:p@h/a,rtsp://x:y@h/b", "***@h/b"),
            ("\"uri\":\"https://me:you@h/\"", "\"uri\":\"https://***@h/\"\n"),
            (
                "x\n-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\ny",
                "x\n(a private key)\ny\n",
            ),
        ] {
            let shown = veil.over(text);
            assert!(shown.contains(want), "{text}: {shown}");
            assert!(!["geheim", "u:p", "x:y", "me:you", "MHc"].iter().any(|s| shown.contains(s)), "{shown}");
        }
    }
}
