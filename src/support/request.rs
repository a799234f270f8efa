//! A bundle for who is far away: `vigia` may not read the journal, so it leaves a wish, a unit that runs as root packs
//! (`vigia support-bundle --requested`), and says where the file lies.

use std::fs::File;
use std::io::{Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{bundle, secret_files};
use crate::clock;
use crate::update::{Places, UpdateError, pause, read, write};

/// Larger ones are not brought: everything in it has a limit of its own, so it is none of ours.
pub const BUNDLE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Programs that are asked take their time.
const MADE_WITHIN: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Of the wish.
    pub id: String,
    pub bytes: u64,
    pub sha256: String,
    /// Why there is none.
    pub why: Option<String>,
}

fn wish(places: &Places) -> PathBuf {
    places.at("run/vigia-update/request/support")
}

fn answer(places: &Places) -> PathBuf {
    places.at("run/vigia-update/support.json")
}

/// Where the last one lies: root writes there, `vigia` reads.
pub const PATH: &str = "/data/support/support.tar.gz";

fn file(places: &Places) -> PathBuf {
    places.at(PATH.trim_start_matches('/'))
}

/// Leaves a wish, and waits for the file.
///
/// # Errors
/// Nobody packs here, or it could not be packed.
pub fn ask(places: &Places) -> Result<(Made, Vec<u8>), UpdateError> {
    let id = format!("{:016x}", fastrand::u64(..));
    let path = wish(places);
    write(&path, &id, 0o644).map_err(UpdateError::file(&path))?;
    let until = clock::now().after(MADE_WITHIN);
    loop {
        let told = read(&answer(places)).ok().and_then(|text| serde_json::from_str::<Made>(&text).ok());
        if let Some(made) = told.filter(|made| made.id == id) {
            return fetch(places, made);
        }
        if clock::now() >= until {
            let _ = std::fs::remove_file(&path);
            let text = "nobody packs on this box: see «systemctl status vigia-support.path vigia-support»";
            return Err(UpdateError::Refused(text.into()));
        }
        pause(LOOK_EVERY);
    }
}

fn fetch(places: &Places, made: Made) -> Result<(Made, Vec<u8>), UpdateError> {
    if let Some(why) = made.why {
        return Err(UpdateError::Refused(why));
    }
    let path = file(places);
    let mut bytes = Vec::new();
    let opened = File::open(&path).map_err(UpdateError::file(&path))?;
    opened.take(BUNDLE_BYTES_MAX).read_to_end(&mut bytes).map_err(UpdateError::file(&path))?;
    if sha256(&bytes) == made.sha256 {
        return Ok((made, bytes));
    }
    Err(UpdateError::Refused(format!("{}: it is not what was packed", path.display())))
}

/// Takes the wish and packs, as root.
///
/// # Errors
/// There is none, or the answer can't be left. Whoever asked is told of everything else.
pub fn carry_out(places: &Places) -> Result<(), UpdateError> {
    let path = wish(places);
    let id = read(&path).map_err(UpdateError::file(&path))?;
    std::fs::remove_file(&path).map_err(UpdateError::file(&path))?;
    if id.len() != 16 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(UpdateError::Refused(format!("{}: it is no wish", path.display())));
    }
    let made = match pack(places) {
        Ok(bytes) => Made { id, bytes: bytes.len() as u64, sha256: sha256(&bytes), why: None },
        Err(e) => {
            let why = Some(format!("{}: {e}", file(places).display()));
            Made { id, bytes: 0, sha256: String::new(), why }
        }
    };
    let path = answer(places);
    let text = serde_json::to_string(&made).unwrap_or_default();
    write(&path, &text, 0o644).map_err(UpdateError::file(&path))
}

fn pack(places: &Places) -> std::io::Result<Vec<u8>> {
    let (site, board) = (places.at("etc/vigia/site.yaml"), places.at("etc/vigia/board.yaml"));
    let secrets = secret_files(&site);
    let secrets: Vec<_> = secrets.iter().map(PathBuf::as_path).collect();
    let mut bytes = Vec::new();
    bundle(&mut bytes, places, Some(&board), &site, &secrets)?;
    if bytes.len() as u64 > BUNDLE_BYTES_MAX {
        let mib = BUNDLE_BYTES_MAX >> 20;
        return Err(std::io::Error::other(format!("it has {} bytes, more than {mib} MiB", bytes.len())));
    }
    let (path, beside) = (file(places), file(places).with_extension("new"));
    match std::fs::remove_file(&beside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // The folder gives it `vigia`'s group.
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(&beside)?;
    out.write_all(&bytes)?;
    out.sync_all()?;
    std::fs::rename(&beside, &path)?;
    Ok(bytes)
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}
