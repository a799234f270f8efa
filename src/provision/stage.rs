//! Several files at once, over a power cut: all are written beside their places and on the disk, then one list says so, then
//! each is renamed. From the list on, the new site is the box's: `vigia-setup` goes on with it at the next start.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::ProvisionError;
use super::folder::{Owner, Piece};
use crate::detect::manifest;
use crate::update::Places;

/// Lines of `FROM<tab>TO`; `-` in the place of FROM: TO goes.
fn list(places: &Places) -> PathBuf {
    places.at("etc/vigia/.provision")
}

fn beside(to: &Path) -> PathBuf {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    to.with_file_name(format!(".{name}.provision"))
}

/// # Errors
/// Before the list is written nothing has changed; afterwards [`resume`] goes on.
pub fn put(pieces: &[Piece], places: &Places) -> Result<(), ProvisionError> {
    let mut lines = String::new();
    for piece in pieces {
        let from = beside(&piece.to);
        write(piece, &from, places)?;
        lines.push_str(&format!("{}\t{}\n", from.display(), piece.to.display()));
        // The box's own CA is none any more.
        if piece.name == "ca.crt" {
            lines.push_str(&format!("-\t{}\n", places.at("etc/vigia/pki/ca.key").display()));
        }
    }
    let (list, new) = (list(places), places.at("etc/vigia/.provision.new"));
    let mut file = File::create(&new).map_err(ProvisionError::file(&new))?;
    file.write_all(lines.as_bytes()).and_then(|()| file.sync_all()).map_err(ProvisionError::file(&new))?;
    std::fs::rename(&new, &list).map_err(ProvisionError::file(&list))?;
    sync_folder(&list)?;
    resume(places)
}

fn write(piece: &Piece, beside: &Path, places: &Places) -> Result<(), ProvisionError> {
    let wrong = || ProvisionError::file(beside);
    if let Some(dir) = beside.parent() {
        std::fs::create_dir_all(dir).map_err(wrong())?;
    }
    let _ = std::fs::remove_file(beside);
    // Private until it is whole.
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside).map_err(wrong())?;
    match &piece.bytes {
        Some(bytes) => file.write_all(bytes).map_err(wrong())?,
        None => {
            let mut from = File::open(&piece.from).map_err(ProvisionError::file(&piece.from))?;
            std::io::copy(&mut from, &mut file).map_err(wrong())?;
        }
    }
    if let Some((uid, gid)) = owner(piece.owner, places) {
        chown(beside, Some(uid), Some(gid)).map_err(wrong())?;
    }
    file.set_permissions(std::fs::Permissions::from_mode(piece.mode)).map_err(wrong())?;
    file.sync_all().map_err(wrong())?;
    // A stick may read differently the second time.
    if piece.sha256.is_some() && manifest::sha256(beside, |_| {}).ok() != piece.sha256 {
        let _ = std::fs::remove_file(beside);
        return Err(ProvisionError::Wrong(vec![format!(
            "{} changed while it was read: try another stick",
            piece.name
        )]));
    }
    Ok(())
}

/// Numbers of user and group; `None` on a machine without these users.
fn owner(owner: Owner, places: &Places) -> Option<(u32, u32)> {
    let of = |file: &str| {
        let text = std::fs::read_to_string(places.at(file)).ok()?;
        text.lines().find_map(|line| line.strip_prefix("vigia:")?.split(':').nth(1)?.parse().ok())
    };
    match owner {
        Owner::Root => None,
        Owner::Shared => Some((0, of("etc/group")?)),
        Owner::Vigia => Some((of("etc/passwd")?, of("etc/group")?)),
    }
}

/// Goes on with what was decided.
///
/// # Errors
/// A file can't be renamed; the list stays.
pub fn resume(places: &Places) -> Result<(), ProvisionError> {
    let list = list(places);
    let Ok(lines) = std::fs::read_to_string(&list) else { return Ok(()) };
    for (from, to) in lines.lines().filter_map(|line| line.split_once('\t')) {
        let to = Path::new(to);
        let moved = if from == "-" { std::fs::remove_file(to) } else { std::fs::rename(from, to) };
        match moved {
            // It was done before the power went.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            moved => moved.map_err(ProvisionError::file(to))?,
        }
        sync_folder(to)?;
    }
    std::fs::remove_file(&list).map_err(ProvisionError::file(&list))?;
    sync_folder(&list)
}

fn sync_folder(path: &Path) -> Result<(), ProvisionError> {
    let Some(dir) = path.parent() else { return Ok(()) };
    match File::open(dir).and_then(|dir| dir.sync_all()) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(ProvisionError::file(dir)(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(places: &Places, name: &str, to: &str, text: &str) -> Piece {
        Piece {
            name: name.into(),
            from: PathBuf::new(),
            to: places.at(to),
            mode: 0o640,
            owner: Owner::Shared,
            bytes: Some(text.as_bytes().to_vec()),
            sha256: None,
        }
    }

    /// Cut at each place: before the list the old files are whole, from it on the new ones.
    #[test]
    fn a_power_cut_leaves_the_old_site_or_the_new_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let places = Places::below(dir.path());
        std::fs::create_dir_all(places.at("etc/vigia/pki")).expect("ours");
        let read = |name: &str| std::fs::read_to_string(places.at(name)).unwrap_or_default();
        for name in ["etc/vigia/site.yaml", "etc/vigia/pki/ca.crt", "etc/vigia/pki/ca.key"] {
            std::fs::write(places.at(name), "old").expect("ours");
        }
        let new = [
            piece(&places, "site.yaml", "etc/vigia/site.yaml", "new"),
            piece(&places, "ca.crt", "etc/vigia/pki/ca.crt", "new"),
        ];
        for piece in &new {
            write(piece, &beside(&piece.to), &places).expect("written");
        }
        resume(&places).expect("nothing was decided");
        assert_eq!((read("etc/vigia/site.yaml"), read("etc/vigia/pki/ca.crt")), ("old".into(), "old".into()));
        // Decided, and the first of them renamed when the power went.
        let line = |piece: &Piece| format!("{}\t{}\n", beside(&piece.to).display(), piece.to.display());
        let gone = format!("-\t{}\n", places.at("etc/vigia/pki/ca.key").display());
        std::fs::write(list(&places), line(&new[0]) + &line(&new[1]) + &gone).expect("ours");
        std::fs::rename(beside(&new[0].to), &new[0].to).expect("ours");
        resume(&places).expect("it goes on");
        assert_eq!((read("etc/vigia/site.yaml"), read("etc/vigia/pki/ca.crt")), ("new".into(), "new".into()));
        assert!(!list(&places).exists() && !places.at("etc/vigia/pki/ca.key").exists());
        resume(&places).expect("once is enough");
    }
}
