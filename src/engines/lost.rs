//! How often CUDA was lost. Each loss ends the process, and a new one begins afresh; a GPU that is lost again and again would
//! blind the box for good.

use std::io;
use std::path::{Path, PathBuf};

use vigia_core::event::Utc;

/// So many losses within the span below, and the GPU is left alone.
const LOSSES_MAX: usize = 3;
const SPAN_S: i64 = 600;
const FILE_BYTES_MAX: u64 = 4_096;

fn file(dir: &Path) -> PathBuf {
    dir.join("gpu-lost.json")
}

/// Notes a loss, in the folder of plans.
///
/// # Errors
/// If the folder can't be written.
pub fn note(dir: &Path, now: Utc) -> io::Result<()> {
    let mut losses = recent(dir, now);
    losses.push(seconds(now));
    std::fs::create_dir_all(dir)?;
    let part = file(dir).with_extension("part");
    std::fs::write(&part, serde_json::to_vec(&losses)?)?;
    std::fs::rename(&part, file(dir))
}

/// One sentence if it was lost too often lately.
#[must_use]
pub fn too_often(dir: &Path, now: Utc) -> Option<String> {
    let count = recent(dir, now).len();
    let minutes = SPAN_S / 60;
    (count >= LOSSES_MAX).then(|| format!("CUDA was lost {count} times within {minutes} minutes"))
}

/// In seconds since 1970. A file that can't be read says nothing; nor does one that a clock put into the future.
fn recent(dir: &Path, now: Utc) -> Vec<i64> {
    let path = file(dir);
    let is_small = std::fs::metadata(&path).is_ok_and(|m| m.len() <= FILE_BYTES_MAX);
    let text = if is_small { std::fs::read(&path).unwrap_or_default() } else { Vec::new() };
    let all: Vec<i64> = serde_json::from_slice(&text).unwrap_or_default();
    let now = seconds(now);
    all.into_iter().filter(|at| (now.saturating_sub(SPAN_S)..=now).contains(at)).collect()
}

fn seconds(at: Utc) -> i64 {
    i64::try_from(at.as_unix_ns() / 1_000_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i128) -> Utc {
        Utc::from_unix_ns(s * 1_000_000_000)
    }

    #[test]
    fn losses_count_for_ten_minutes() {
        let dir = tempfile::tempdir().expect("the disk has room");
        let dir = dir.path().join("plans");
        assert_eq!(too_often(&dir, at(1_000)), None);
        for s in [1_000, 1_001, 1_300] {
            assert_eq!(too_often(&dir, at(s)), None);
            note(&dir, at(s)).expect("the disk has room");
        }
        let said = "CUDA was lost 3 times within 10 minutes";
        assert_eq!(too_often(&dir, at(1_600)).as_deref(), Some(said));
        assert_eq!(too_often(&dir, at(1_601)), None, "the first one is forgotten");
        // A clock that was set back, and a file of something else.
        assert_eq!(too_often(&dir, at(10)), None);
        std::fs::write(file(&dir), "what").expect("the disk has room");
        assert_eq!(too_often(&dir, at(1_300)), None);
        note(&dir, at(1_300)).expect("the disk has room");
    }
}
