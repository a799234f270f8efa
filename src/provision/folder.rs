//! What a folder holds of a site, and where each file belongs.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::ProvisionError;
use crate::detect::manifest;
use crate::update::Places;

const FILE_BYTES_MAX: u64 = 1024 * 1024;
const MODEL_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Who owns a file, by name; the group is named alike or `vigia`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Root,
    /// Root, and vigia's group may read.
    Shared,
    Vigia,
}

/// One file.
#[derive(Debug)]
pub struct Piece {
    /// As in the folder.
    pub name: String,
    /// On the stick, or the board's file of the image.
    pub from: PathBuf,
    pub to: PathBuf,
    pub mode: u32,
    pub owner: Owner,
    /// `None`: too large for the memory, a model.
    pub bytes: Option<Vec<u8>>,
    /// Of a model, as its manifest says.
    pub sha256: Option<String>,
}

impl Piece {
    /// Whether the box has another one, or none.
    pub fn is_new(&self) -> bool {
        match (&self.bytes, &self.sha256) {
            (Some(bytes), _) => std::fs::read(&self.to).ok().as_ref() != Some(bytes),
            (None, sha256) => manifest::sha256(&self.to, |_| {}).ok() != *sha256,
        }
    }
}

/// All of a folder.
#[derive(Debug)]
pub struct Found {
    pub pieces: Vec<Piece>,
    /// Files that nobody knows.
    pub left_out: Vec<String>,
}

impl Found {
    pub fn piece(&self, name: &str) -> Option<&Piece> {
        self.pieces.iter().find(|piece| piece.name == name)
    }
}

/// Name in the folder, place on the box, mode, owner.
const FILES: [(&str, &str, u32, Owner); 9] = [
    ("site.yaml", "etc/vigia/site.yaml", 0o640, Owner::Shared),
    ("board.yaml", "etc/vigia/board.yaml", 0o640, Owner::Shared),
    ("secrets.yaml", "etc/vigia/secrets.yaml", 0o400, Owner::Vigia),
    ("name", "etc/vigia/name", 0o644, Owner::Root),
    ("people", "etc/vigia/people", 0o600, Owner::Root),
    ("time.sources", "etc/vigia/time.sources", 0o644, Owner::Root),
    ("ca.crt", "etc/vigia/pki/ca.crt", 0o644, Owner::Root),
    ("broker.crt", "etc/vigia/pki/broker.crt", 0o644, Owner::Root),
    ("broker.key", "etc/vigia/pki/broker.key", 0o600, Owner::Root),
];

/// # Errors
/// It can't be read, or holds nothing of a site.
pub fn read(from: &Path, places: &Places) -> Result<Found, ProvisionError> {
    let mut found = Found { pieces: Vec::new(), left_out: Vec::new() };
    let about = std::fs::metadata(from).map_err(ProvisionError::file(from))?;
    if about.is_file() {
        found.pieces.push(small("site.yaml", from, places.at(FILES[0].1), (FILES[0].2, FILES[0].3))?);
        return Ok(found);
    }
    for name in names(from)? {
        let path = from.join(&name);
        let known = FILES.iter().find(|(known, ..)| *known == name);
        if let Some((_, to, mode, owner)) = known {
            found.pieces.push(small(&name, &path, places.at(to), (*mode, *owner))?);
        } else if name == "board" {
            found.pieces.push(board(&path, places)?);
        } else if name == "network" || name == "models" {
            folder(&name, &path, places, &mut found)?;
        } else if path.is_file() && !name.starts_with('.') {
            found.left_out.push(name);
        }
    }
    if found.pieces.is_empty() {
        let known: Vec<&str> = FILES.iter().map(|(name, ..)| *name).collect();
        return Err(ProvisionError::Wrong(vec![format!(
            "{} holds nothing of a site: {}, board, network/*.network, models/*",
            from.display(),
            known.join(", ")
        )]));
    }
    Ok(found)
}

fn names(dir: &Path) -> Result<Vec<String>, ProvisionError> {
    let entries = std::fs::read_dir(dir).map_err(ProvisionError::file(dir))?;
    let mut names: Vec<String> = entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn small(name: &str, from: &Path, to: PathBuf, (mode, owner): (u32, Owner)) -> Result<Piece, ProvisionError> {
    let file = std::fs::File::open(from).map_err(ProvisionError::file(from))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(ProvisionError::file(from))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ProvisionError::Wrong(vec![format!("{name} has more than {FILE_BYTES_MAX} bytes")]));
    }
    let bytes = Some(bytes);
    Ok(Piece { name: name.to_owned(), from: from.to_owned(), to, mode, owner, bytes, sha256: None })
}

/// The name of one of the image's boards, in the place of a file.
fn board(path: &Path, places: &Places) -> Result<Piece, ProvisionError> {
    let given = std::fs::read_to_string(path).map_err(ProvisionError::file(path))?;
    let (given, dir) = (given.trim(), places.at("usr/share/vigia/hardware"));
    let known: Vec<String> = manifest::list(&dir).into_iter().map(|(id, _)| id).collect();
    if !known.iter().any(|id| id == given) {
        let known = known.join(", ");
        return Err(ProvisionError::Wrong(vec![format!(
            "board: there is no board «{given}»; there are: {known}"
        )]));
    }
    let (_, to, mode, owner) = FILES[1];
    let mut piece = small("board", &dir.join(format!("{given}.yaml")), places.at(to), (mode, owner))?;
    piece.name = "board".to_owned();
    Ok(piece)
}

fn folder(kind: &str, dir: &Path, places: &Places, found: &mut Found) -> Result<(), ProvisionError> {
    for file in names(dir)? {
        let (name, path) = (format!("{kind}/{file}"), dir.join(&file));
        if kind == "network" && file.ends_with(".network") {
            let to = places.at("etc/vigia/network").join(&file);
            found.pieces.push(small(&name, &path, to, (0o644, Owner::Root))?);
        } else if kind == "models" && file.ends_with(".yaml") {
            let to = places.at("var/lib/vigia/models").join(&file);
            found.pieces.push(small(&name, &path, to, (0o644, Owner::Vigia))?);
        } else if kind == "models" && file.ends_with(".onnx") {
            let size = std::fs::metadata(&path).map_err(ProvisionError::file(&path))?.len();
            if size > MODEL_BYTES_MAX {
                return Err(ProvisionError::Wrong(vec![format!(
                    "{name} has {size} bytes, at most {MODEL_BYTES_MAX}"
                )]));
            }
            let to = places.at("var/lib/vigia/models").join(&file);
            let (mode, owner) = (0o644, Owner::Vigia);
            // Its manifest says what it must be.
            found.pieces.push(Piece { name, from: path, to, mode, owner, bytes: None, sha256: None });
        } else if !file.starts_with('.') {
            found.left_out.push(name);
        }
    }
    if kind == "models" {
        hashes(dir, found)?;
    }
    Ok(())
}

/// Each model has a manifest beside it, whose hash is true.
fn hashes(dir: &Path, found: &mut Found) -> Result<(), ProvisionError> {
    let mut wrong = Vec::new();
    for (id, _) in manifest::list(dir) {
        match manifest::locate(dir, &id) {
            Ok(located) => {
                let of = |piece: &&mut Piece| piece.from == located.onnx;
                if let Some(piece) = found.pieces.iter_mut().find(of) {
                    piece.sha256 = Some(located.manifest.sha256);
                }
            }
            Err(e) => wrong.push(format!("models/{id}.yaml: {e}")),
        }
    }
    let alone = found.pieces.iter().filter(|piece| piece.bytes.is_none() && piece.sha256.is_none());
    wrong
        .extend(alone.map(|piece| {
            format!("{} has no manifest beside it: «vigia model import» makes one", piece.name)
        }));
    if wrong.is_empty() { Ok(()) } else { Err(ProvisionError::Wrong(wrong)) }
}
