//! A box's versions: bundles, two slots, and when a restart is allowed.
//!
//! RAUC does the work. `vigia` has no rights to it: it leaves a [`request`], a unit that runs as root
//! ([`carry`], `vigia update carry-out`) judges that anew, runs RAUC and leaves its [`state`], which everybody may read.
//! What has become of a version is decided after the restart (`appliance/system/usr/lib/vigia/verdict`), and stands in the
//! history.
//!
//! Nothing is installed, and nothing restarted, while water flows, an alarm is latched or a fire was seen in the last
//! hour ([`rest`], R-30). What cannot be told is a no.

pub mod bundle;
pub mod carry;
pub mod report;
pub mod request;
pub mod reset;
pub mod rest;
pub mod slots;
pub mod state;
mod told;
pub mod tool;
pub mod work;

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Files that are read here are small; larger ones are none of ours.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Where things lie: below `/`, or below `VIGIA_ROOT` (tests, and looking at another root).
#[derive(Debug, Clone)]
pub struct Places {
    root: PathBuf,
}

impl Places {
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    #[must_use]
    pub fn from_environment() -> Self {
        Self::below(std::env::var_os("VIGIA_ROOT").map_or_else(|| PathBuf::from("/"), PathBuf::from))
    }

    /// `path` without its first slash.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    #[must_use]
    pub fn is_moved(&self) -> bool {
        self.root != Path::new("/")
    }

    /// Version, floor and kind of box; there is none on a machine that was set up by hand.
    #[must_use]
    pub fn release(&self) -> PathBuf {
        self.at("usr/lib/vigia/release")
    }

    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.at("data/update/history")
    }

    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.at("run/vigia-update/state.json")
    }

    #[must_use]
    pub fn request(&self) -> PathBuf {
        self.at("run/vigia-update/request/request.json")
    }

    /// Held by the one who carries a request out.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.at("run/vigia-update/lock")
    }

    /// What `vigia` says about alarms and fires.
    #[must_use]
    pub fn rest(&self) -> PathBuf {
        self.at("run/vigia-box/rest.json")
    }

    /// What `vigia` says about its work.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.at("run/vigia-box/work.json")
    }

    /// The same of the version before this one, kept when the update was written.
    #[must_use]
    pub fn work_before(&self) -> PathBuf {
        self.at("data/update/before.json")
    }

    /// What the verdict still misses of a version on trial, a sentence a line.
    #[must_use]
    pub fn missed(&self) -> PathBuf {
        self.at("data/update/missed")
    }
}

/// Why nothing was done.
#[derive(Debug, Error)]
pub enum UpdateError {
    /// One sentence: what, where, what would be right.
    #[error("{0}")]
    Refused(String),
    /// Not now.
    #[error("{}", .0.join("; "))]
    NotAtRest(Vec<String>),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Tool(#[from] tool::ToolError),
}

impl UpdateError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// What an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub version: Version,
    /// The oldest that may be installed: the image's, or a later one that has passed here.
    pub floor: Version,
    pub compatible: String,
}

impl Release {
    /// # Errors
    /// This is no box that was made from an image, or its files are torn.
    pub fn read(places: &Places) -> Result<Self, UpdateError> {
        let path = places.release();
        let text = read(&path).map_err(|e| {
            UpdateError::Refused(format!(
                "{}: {e}; only a box that was made from an image has updates",
                path.display()
            ))
        })?;
        let of = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let version = |key: &str| {
            let given = of(key).unwrap_or_default();
            Version::parse(given).ok_or_else(|| {
                UpdateError::Refused(format!("{}: {key} is «{given}», not numbers with dots", path.display()))
            })
        };
        let mut floor = version("FLOOR")?;
        let raised = places.at("data/update/floor");
        if let Ok(text) = read(&raised) {
            let raised = Version::parse(text.trim()).ok_or_else(|| {
                UpdateError::Refused(format!("{}: «{}» is no version", raised.display(), text.trim()))
            })?;
            floor = floor.max(raised);
        }
        Ok(Self {
            version: version("VERSION")?,
            floor,
            compatible: of("COMPATIBLE").unwrap_or_default().to_owned(),
        })
    }
}

/// Numbers with dots, compared as `sort -V` does: 0.10 is newer than 0.9.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u64>);

impl Version {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let parts = text.split('.').map(|part| part.parse().ok().filter(|_| is_number(part)));
        parts.collect::<Option<Vec<u64>>>().map(Self)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

/// A small file of ours. A link in its place is not followed.
pub(crate) fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other("it is larger than any of ours"));
    }
    Ok(text)
}

/// Whole or not at all, and on the disk.
pub(crate) fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    // A link that lies there is not followed.
    match std::fs::remove_file(&beside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(text.as_bytes())?;
    // The process's mask must not hide what others are to read.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

/// Lets time pass.
pub(crate) fn pause(span: std::time::Duration) {
    // Nothing is ever sent.
    let _ = crossbeam_channel::never::<()>().recv_timeout(span);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let v = |text: &str| Version::parse(text).expect("a version");
        assert!(v("0.10") > v("0.9") && v("1") > v("0.99.9") && v("0.2.0") > v("0.2"));
        for bad in ["", "1.", ".1", "1.a", "v1", "1.-2", "1..2", "+1"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_link_is_no_file_of_ours() {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, other) = (dir.path().join("a"), dir.path().join("secret"));
        std::fs::write(&other, "s").expect("written");
        std::os::unix::fs::symlink(&other, &path).expect("a link");
        assert!(read(&path).is_err());
        std::os::unix::fs::symlink(&other, dir.path().join("b.new")).expect("a link");
        write(&dir.path().join("b"), "mine", 0o644).expect("written");
        assert_eq!(read(&other).expect("it is there"), "s");
    }
}
