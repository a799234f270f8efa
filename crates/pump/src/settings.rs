//! The board's file and the site's file, checked as a whole: every mistake at once, each with
//! its file, its key and what would be right. Nothing starts on a mistake.
//!
//! Of the board's file this program reads the key `lines`, of the site's file the key `pump`;
//! the rest is `vigia`'s, which checks it.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use thiserror::Error;
use vigia_core::board::{self, BankName, Lines, RawLines};
use vigia_core::link::fingerprint;
use vigia_core::pump::plan::raw::{RawPolicies, RawTank, RawTimings};
use vigia_core::pump::plan::{Preset, RawInput, Wrong, parse};
use vigia_core::pump::{Output, Plan, RawPlan, Sensor};

const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What to run with.
#[derive(Debug, Clone)]
pub struct Settings {
    pub plan: Plan,
    /// [`fingerprint`] of the plan as it was written.
    pub fingerprint: u64,
    pub lines: Lines,
    /// Unusual, as a site may be.
    pub odd: Vec<Mistake>,
}

/// One sentence for whoever wrote the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub file: String,
    /// Key and value, and what would be right.
    pub says: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.says)
    }
}

/// All mistakes, one to a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", lines_of(.0))]
pub struct SettingsError(pub Vec<Mistake>);

fn lines_of(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n")
}

/// What this program reads of the board's file.
#[derive(Deserialize)]
struct BoardFile {
    lines: Option<RawLines>,
}

/// What it reads of the site's file.
#[derive(Deserialize)]
struct SiteFile {
    pump: Option<Section>,
}

/// A [`RawPlan`], and beside it what `vigia` needs to reach this program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    preset: Preset,
    #[serde(default)]
    outputs: Option<Vec<Output>>,
    #[serde(default)]
    inputs: std::collections::BTreeMap<Sensor, RawInput>,
    #[serde(default)]
    timings: RawTimings,
    #[serde(default)]
    tank: RawTank,
    #[serde(default)]
    policies: RawPolicies,
    #[serde(default, rename = "socket")]
    _socket: IgnoredAny,
    #[serde(default, rename = "orders_from")]
    _orders_from: IgnoredAny,
}

impl From<Section> for RawPlan {
    fn from(section: Section) -> Self {
        let Section { preset, outputs, inputs, timings, tank, policies, .. } = section;
        Self { preset, outputs, inputs, timings, tank, policies }
    }
}

/// Reads and checks both files. `bank`: instead of the one that the board's file names.
///
/// # Errors
/// Everything that is wrong.
pub fn load(hardware: &Path, site: &Path, bank: Option<BankName>) -> Result<Settings, SettingsError> {
    let board = board_of(hardware);
    let written = read::<SiteFile>(site).and_then(|file| {
        let missing = || mistake(site, "pump is missing: give the site's plan, at least its preset");
        file.pump.map(RawPlan::from).ok_or_else(missing)
    });
    let parsed = written
        .as_ref()
        .map_err(Clone::clone)
        .map_err(|m| vec![m])
        .and_then(|written| parse::parse(written).map_err(|wrong| mistakes(site, "pump.", &wrong)));
    let mut all: Vec<Mistake> = board.as_ref().err().into_iter().cloned().collect();
    let lines = match (&board, &written, &parsed) {
        (Ok(board), Ok(written), Ok(parsed)) => board::check(board, bank, written, &parsed.plan)
            .map_err(|wrong| all.extend(mistakes(hardware, "", &wrong)))
            .ok(),
        _ => None,
    };
    match (written, parsed, lines) {
        (Ok(written), Ok(parsed), Some(lines)) => Ok(Settings {
            plan: parsed.plan,
            fingerprint: fingerprint(&written),
            lines,
            odd: mistakes(site, "pump.", &parsed.odd),
        }),
        (_, parsed, _) => {
            all.extend(parsed.err().unwrap_or_default());
            Err(SettingsError(all))
        }
    }
}

/// The board's lines, whatever the site wants of them.
///
/// # Errors
/// Everything that is wrong with the board's file.
pub fn load_board(hardware: &Path) -> Result<Lines, SettingsError> {
    let raw = board_of(hardware).map_err(|m| SettingsError(vec![m]))?;
    board::read(&raw, None).map_err(|wrong| SettingsError(mistakes(hardware, "", &wrong)))
}

fn board_of(hardware: &Path) -> Result<RawLines, Mistake> {
    read::<BoardFile>(hardware).and_then(|file| {
        file.lines.ok_or_else(|| {
            mistake(hardware, "lines is missing: name the board's lines, or take hardware/simulated.yaml")
        })
    })
}

fn mistake(file: &Path, says: impl Into<String>) -> Mistake {
    Mistake { file: file.display().to_string(), says: says.into() }
}

fn mistakes(file: &Path, below: &str, wrong: &[Wrong]) -> Vec<Mistake> {
    wrong.iter().map(|w| mistake(file, format!("{below}{w}"))).collect()
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Mistake> {
    let text = text(path)?;
    serde_saphyr::with_deserializer_from_str(&text, |yaml| {
        // The key is what people look for; the parser knows the line only.
        serde_path_to_error::deserialize(yaml).map_err(|e| {
            let path = e.path().to_string();
            let cause = e.into_inner();
            let line = cause.location().map_or(0, |at| usize::try_from(at.line()).unwrap_or(0));
            let key = named(&path, &text, line);
            let cause = cause.without_snippet().to_string();
            if key == "." {
                serde::de::Error::custom(cause)
            } else {
                serde::de::Error::custom(format!("{key}: {cause}"))
            }
        })
    })
    .map_err(|e: serde_saphyr::Error| mistake(path, e.without_snippet().to_string()))
}

/// A relay or contact as a key is a `?` to the deserialiser; its name is in the text, above
/// the place of the mistake and less indented.
fn named(path: &str, text: &str, line: usize) -> String {
    let mut keys = Vec::new();
    let mut below = usize::MAX;
    let lines: Vec<&str> = text.lines().take(line).collect();
    for line in lines.into_iter().rev() {
        let word = line.trim_start();
        let indent = line.len() - word.len();
        if indent < below && !word.is_empty() && !word.starts_with('#') {
            keys.push(word.split(':').next().unwrap_or(word).trim());
            below = indent;
        }
    }
    keys.reverse();
    let parts = path.split('.').enumerate();
    let name = |(at, part)| if part == "?" { keys.get(at).copied().unwrap_or(part) } else { part };
    parts.map(name).collect::<Vec<_>>().join(".")
}

fn text(path: &Path) -> Result<String, Mistake> {
    let cannot = |e: std::io::Error| mistake(path, format!("cannot be read: {e}"));
    // Opening a pipe would wait for its writer, so ask what it is first.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(mistake(path, "is not a file: name the board's or the site's YAML file"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_BYTES_MAX) {
        return Err(mistake(path, "is larger than 1 MiB: not a configuration file"));
    }
    String::from_utf8(bytes).map_err(|_| mistake(path, "is not UTF-8 text: not a configuration file"))
}
