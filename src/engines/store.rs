//! The folder of plans. One file holds a plan, its passport and a checksum over both, and comes into its place by a
//! rename: a plan is there whole or not at all.
//!
//! ```text
//! plan | passport, JSON | length of the passport, u32 | SHA-256 of all before | "vigiapln"
//! ```

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use vigia_core::event::Utc;

use super::accuracy::Accuracy;
use super::facts::Facts;
use super::half::Rounding;

/// Larger files are no plans of detectors.
const FILE_BYTES_MAX: u64 = 2 << 30;
const PASSPORT_BYTES_MAX: u32 = 1 << 20;
const MAGIC: [u8; 8] = *b"vigiapln";
const SUM_LEN: usize = 32;
const TRAILER_LEN: usize = 4 + SUM_LEN + MAGIC.len();
/// Of the key, in the file's name.
const KEY_LEN: usize = 16;

/// What a plan is, for what, and from what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passport {
    pub facts: Facts,
    pub built: Utc,
    /// What the build took.
    pub seconds: f64,
    pub layers: u32,
    /// What became of 32-bit weights.
    pub rounding: Option<Rounding>,
    /// None of a plan that was built without its GPU: it is measured when it is first loaded.
    #[serde(default)]
    pub accuracy: Option<Accuracy>,
}

/// Why a plan can't be kept or used.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not a plan of vigia's: {what}", .path.display())]
    Broken { path: PathBuf, what: &'static str },
    #[error("{} has a passport that can't be read: {what}", .path.display())]
    Passport { path: PathBuf, what: String },
}

impl StoreError {
    /// Whether there simply is no such plan.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Where the product with these facts lies, once it is built.
    #[must_use]
    pub fn path(&self, facts: &Facts) -> PathBuf {
        let key = facts.key();
        self.dir.join(format!("{}-{}.plan", facts.model_id, key.get(..KEY_LEN).unwrap_or(&key)))
    }

    /// Keeps a plan; one with the same facts is replaced.
    ///
    /// # Errors
    /// [`StoreError::Io`]; what was there before is still there.
    pub fn put(&self, passport: &Passport, plan: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.path(&passport.facts);
        let part = path.with_extension("part");
        let io = |source| StoreError::Io { path: path.clone(), source };
        fs::create_dir_all(&self.dir).map_err(io)?;
        let written = write(&part, passport, plan).and_then(|()| fs::rename(&part, &path));
        written.and_then(|()| File::open(&self.dir)?.sync_all()).map_err(|e| {
            // It is of no use to anybody.
            let _ = fs::remove_file(&part);
            io(e)
        })?;
        Ok(path)
    }

    /// The plan for these facts.
    ///
    /// # Errors
    /// [`StoreError`]: not there (an [`io::ErrorKind::NotFound`]), or torn.
    pub fn get(&self, facts: &Facts) -> Result<(Passport, Vec<u8>), StoreError> {
        let path = self.path(facts);
        let (passport, plan) = read(&path)?;
        // The name holds a part of the key only.
        if passport.facts != *facts {
            return Err(StoreError::Broken { path, what: "its passport is of another product" });
        }
        Ok((passport, plan))
    }

    /// Why there is no plan for these facts, if there are others of the model: one sentence.
    #[must_use]
    pub fn why_not(&self, facts: &Facts) -> String {
        let others = self.list().into_iter().filter_map(|(_, passport)| passport.ok());
        let mut others: Vec<_> = others.filter(|p| p.facts.model_id == facts.model_id).collect();
        others.sort_by_key(|p| p.built.as_unix_ns());
        match others.last().and_then(|newest| facts.unlike(&newest.facts)) {
            Some(why) => format!("the plan of {} does not fit: {why}", facts.model_id),
            None => format!("no plan of {} was built yet", facts.model_id),
        }
    }

    /// All plans by name; the plans themselves are not read.
    #[must_use]
    pub fn list(&self) -> Vec<(PathBuf, Result<Passport, StoreError>)> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|e| e.path());
        let mut paths: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "plan")).collect();
        paths.sort();
        paths.into_iter().map(|path| (path.clone(), passport(&path))).collect()
    }
}

fn write(part: &Path, passport: &Passport, plan: &[u8]) -> io::Result<()> {
    let passport = serde_json::to_vec(passport)?;
    let len = u32::try_from(passport.len()).map_err(io::Error::other)?;
    let mut sum = Sha256::new();
    let mut file = File::create(part)?;
    for bytes in [plan, &passport, &len.to_le_bytes()] {
        sum.update(bytes);
        file.write_all(bytes)?;
    }
    file.write_all(&sum.finalize())?;
    file.write_all(&MAGIC)?;
    file.sync_all()
}

/// Passport and plan of a file, whole.
///
/// # Errors
/// [`StoreError`].
pub fn read(path: &Path) -> Result<(Passport, Vec<u8>), StoreError> {
    let io = |source| StoreError::Io { path: path.into(), source };
    let mut file = File::open(path).map_err(io)?;
    let end = end(path, &mut file)?;
    file.rewind().map_err(io)?;
    let mut all = Vec::with_capacity(end.summed);
    file.take(end.summed as u64).read_to_end(&mut all).map_err(io)?;
    if Sha256::digest(&all).as_slice() != end.sum {
        return Err(StoreError::Broken { path: path.into(), what: "its checksum is wrong" });
    }
    all.truncate(end.plan_len);
    Ok((end.passport, all))
}

/// # Errors
/// [`StoreError`]. The checksum is not looked at: that means reading the plan.
fn passport(path: &Path) -> Result<Passport, StoreError> {
    let mut file = File::open(path).map_err(|source| StoreError::Io { path: path.into(), source })?;
    end(path, &mut file).map(|end| end.passport)
}

/// What stands behind the plan.
struct End {
    passport: Passport,
    plan_len: usize,
    /// How many bytes the checksum is of.
    summed: usize,
    sum: Vec<u8>,
}

fn end(path: &Path, file: &mut File) -> Result<End, StoreError> {
    let io = |source| StoreError::Io { path: path.into(), source };
    let broken = |what| StoreError::Broken { path: path.into(), what };
    let len = file.metadata().map_err(io)?.len();
    if len > FILE_BYTES_MAX {
        return Err(broken("it is larger than two gigabytes"));
    }
    let before = len.checked_sub(TRAILER_LEN as u64).ok_or_else(|| broken("it is too short"))?;
    let trailer: Vec<u8> = tail(file, before, TRAILER_LEN).map_err(io)?;
    let (passport_len, rest) = trailer.split_at(4);
    let (sum, magic) = rest.split_at(SUM_LEN);
    if magic != MAGIC {
        return Err(broken("it does not end like one"));
    }
    let passport_len = passport_len.try_into().map_or(0, u32::from_le_bytes);
    let at = before.checked_sub(u64::from(passport_len)).filter(|_| passport_len <= PASSPORT_BYTES_MAX);
    let at = at.ok_or_else(|| broken("its passport does not fit into it"))?;
    let text = tail(file, at, passport_len as usize).map_err(io)?;
    let passport = serde_json::from_slice(&text)
        .map_err(|e| StoreError::Passport { path: path.into(), what: e.to_string() })?;
    let size = |n: u64| usize::try_from(n).map_err(|_| broken("it is too large for this machine"));
    Ok(End { passport, plan_len: size(at)?, summed: size(before + 4)?, sum: sum.to_vec() })
}

fn tail(file: &mut File, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::facts;
    use super::*;

    fn passport() -> Passport {
        let rounding = Some(Rounding { values: 9, cut: 0 });
        Passport {
            facts: facts(),
            built: Utc::from_unix_ns(1_000_000_000),
            seconds: 2.5,
            layers: 26,
            rounding,
            accuracy: None,
        }
    }

    #[test]
    fn a_plan_is_kept_whole_with_its_passport() {
        let dir = tempfile::tempdir().expect("the disk has room");
        let store = Store::new(dir.path().join("plans"));
        let missing = store.get(&facts()).expect_err("nothing is there");
        assert!(
            matches!(&missing, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
        );
        assert_eq!(store.why_not(&facts()), "no plan of lookout-n was built yet");
        for plan in [&b"first"[..], b"", &[7; 100_000]] {
            let path = store.put(&passport(), plan).expect("the disk has room");
            assert_eq!(store.get(&facts()).expect("it is there"), (passport(), plan.to_vec()));
            let names: Vec<_> = fs::read_dir(store.dir.as_path()).expect("it is ours").flatten().collect();
            assert_eq!(names.len(), 1, "one file, no part: {names:?}");
            assert_eq!(path, names[0].path());
        }
        let all = store.list();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].1.as_ref().expect("it is whole"), &passport());
        let mut newer = facts();
        newer.tensorrt = "10.16.2".into();
        let why = store.why_not(&newer);
        assert!(
            why.starts_with("the plan of lookout-n does not fit: it was built for TensorRT 10.3.0"),
            "{why}"
        );
    }

    #[test]
    fn no_flipped_bit_and_no_cut_passes() {
        let dir = tempfile::tempdir().expect("the disk has room");
        let store = Store::new(dir.path());
        let path = store.put(&passport(), b"a plan").expect("the disk has room");
        let whole = fs::read(&path).expect("it is there");
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            fs::write(&path, &bytes).expect("the disk has room");
            let said = store.get(&facts()).expect_err("a flipped bit").to_string();
            assert!(said.contains(".plan"), "{said}");
        }
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).expect("the disk has room");
            assert!(store.get(&facts()).is_err(), "cut at {len}");
        }
        // Another product under its name.
        let mut other = passport();
        other.facts.parser += 1;
        let from = store.put(&other, b"another").expect("the disk has room");
        fs::rename(from, &path).expect("it is ours");
        let said = store.get(&facts()).expect_err("another").to_string();
        assert!(said.contains("its passport is of another product"), "{said}");
    }
}
