//! What vigia knows of a model: a YAML file beside the ONNX file.
//!
//! A model runs only if its file is the one the manifest was written for (sha256).

use std::io::Read;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use vigia_accel::preprocess::{Align, ChannelOrder, TensorSpec};
use vigia_core::detection::head::{CLASSES_MAX, Head};

/// Largest model file, in bytes.
pub const MODEL_BYTES_MAX: u64 = 1 << 30;
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// Longest input side, in pixels.
pub const INPUT_SIDE_MAX: u32 = 4096;

/// A model's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name in commands and events: letters, digits, `._-`.
    pub id: String,
    /// The ONNX file, relative to the manifest.
    pub file: PathBuf,
    /// Of the ONNX file, in hex.
    pub sha256: String,
    pub head: Head,
    pub input: Input,
    #[serde(default)]
    pub preprocess: Preprocess,
    /// Names in the order of class ids.
    pub classes: Vec<String>,
    #[serde(default)]
    pub licence: Option<String>,
    #[serde(default)]
    pub source: Option<String>,
    /// The model in the same folder that this one is with 8-bit numbers; plans of it are compared with that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantised_from: Option<String>,
    /// What whoever relies on the model must know; said at each start and in the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// The network's input, `[1, 3, height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub width: u32,
    pub height: u32,
    /// Whether the graph takes other sizes, too.
    #[serde(default)]
    pub dynamic: bool,
}

/// How a frame becomes the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preprocess {
    pub order: Order,
    pub range: Range,
    pub align: Placement,
    /// Grey level of the padding.
    pub pad: u8,
}

/// Channel order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    Rgb,
    Bgr,
}

/// Value range of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Range {
    /// 0..=1
    Unit,
    /// 0..=255
    Byte,
}

/// Where the frame lies in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    Centre,
    TopLeft,
    /// Fills the input, whatever its aspect.
    Stretch,
}

impl Default for Preprocess {
    fn default() -> Self {
        Self { order: Order::Rgb, range: Range::Unit, align: Placement::Centre, pad: 114 }
    }
}

impl Preprocess {
    /// What the authors of a head train with.
    #[must_use]
    pub fn usual(head: Head) -> Self {
        match head {
            Head::Yolox => {
                Self { order: Order::Bgr, range: Range::Byte, align: Placement::TopLeft, pad: 114 }
            }
            Head::Rtdetr => Self { align: Placement::Stretch, ..Self::default() },
            Head::Yolov5 | Head::Yolov8 | Head::End2end => Self::default(),
        }
    }
}

/// Why a manifest or its model can't be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    #[error("{what} {}: {source}", .path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{} is larger than {max} bytes", .path.display())]
    TooLarge { path: PathBuf, max: u64 },
    #[error("{}: {}", .path.display(), .source.without_snippet())]
    Yaml { path: PathBuf, source: Box<serde_saphyr::Error> },
    #[error("{}: {what}", .path.display())]
    Invalid { path: PathBuf, what: String },
    #[error("{} has changed: its sha256 is {found}, the manifest says {expected}; import it again", .path.display())]
    Hash { path: PathBuf, expected: String, found: String },
    #[error("there is no model `{id}` in {}; known are: {known}", .dir.display())]
    Unknown { id: String, dir: PathBuf, known: String },
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ManifestError {
    move |source| ManifestError::Io { what, path: path.into(), source }
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// One sentence naming the file and what would be right.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let size = std::fs::metadata(path).map_err(io("can't open the manifest", path))?.len();
        if size > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge { path: path.into(), max: MANIFEST_BYTES_MAX });
        }
        let text = std::fs::read_to_string(path).map_err(io("can't read the manifest", path))?;
        let manifest: Self = serde_saphyr::from_str(&text)
            .map_err(|e| ManifestError::Yaml { path: path.into(), source: Box::new(e) })?;
        manifest.check().map_err(|what| ManifestError::Invalid { path: path.into(), what })?;
        Ok(manifest)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !is_id(&self.id) {
            return Err(format!("id `{}` must be 1 to 64 letters, digits, `.`, `_` or `-`", self.id));
        }
        let sides = 32..=INPUT_SIDE_MAX;
        if !sides.contains(&self.input.width) || !sides.contains(&self.input.height) {
            let Input { width, height, .. } = self.input;
            return Err(format!("input {width}x{height}: each side must be 32 to {INPUT_SIDE_MAX} pixels"));
        }
        if self.classes.is_empty() || self.classes.len() > CLASSES_MAX {
            return Err(format!("{} classes: 1 to {CLASSES_MAX} are expected", self.classes.len()));
        }
        if self.quantised_from.as_ref().is_some_and(|base| !is_id(base) || *base == self.id) {
            return Err("quantised_from must name another model of the folder".to_owned());
        }
        if self.file.components().count() != 1 {
            return Err(format!(
                "file `{}` must be a plain file name beside the manifest",
                self.file.display()
            ));
        }
        Ok(())
    }

    /// What the pre-processing must make of a frame.
    #[must_use]
    pub fn tensor_spec(&self) -> TensorSpec {
        let p = &self.preprocess;
        TensorSpec {
            width: self.input.width,
            height: self.input.height,
            align: match p.align {
                Placement::Centre => Align::Centre,
                Placement::TopLeft => Align::TopLeft,
                Placement::Stretch => Align::Stretch,
            },
            order: match p.order {
                Order::Rgb => ChannelOrder::Rgb,
                Order::Bgr => ChannelOrder::Bgr,
            },
            pad: p.pad,
            scale: match p.range {
                Range::Unit => [1.0 / 255.0; 3],
                Range::Byte => [1.0; 3],
            },
            offset: [0.0; 3],
        }
    }
}

/// Whether a text can name a model.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && !text.starts_with('.')
}

/// A manifest and where its model lies; the hash is known to be right.
#[derive(Debug, Clone)]
pub struct Located {
    pub manifest: Manifest,
    pub onnx: PathBuf,
}

impl Located {
    /// The folder of models that it is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.onnx.parent().unwrap_or(Path::new("."))
    }
}

/// Finds a model by id in `dir`, or by the path of its manifest, and verifies its hash.
///
/// # Errors
/// [`ManifestError`].
pub fn locate(dir: &Path, model: &str) -> Result<Located, ManifestError> {
    let path = if model.ends_with(".yaml") {
        PathBuf::from(model)
    } else {
        let path = dir.join(format!("{model}.yaml"));
        if !is_id(model) || !path.exists() {
            let known: Vec<_> = list(dir).into_iter().map(|(id, _)| id).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(ManifestError::Unknown { id: model.into(), dir: dir.into(), known });
        }
        path
    };
    let mut manifest = Manifest::read(&path)?;
    loop {
        let Err(e) = verified(&path, &manifest) else {
            let onnx = beside(&path, &manifest);
            return Ok(Located { manifest, onnx });
        };
        // An import may have taken the old file away after we read what it was called.
        let now = Manifest::read(&path)?;
        if now == manifest {
            return Err(e);
        }
        manifest = now;
    }
}

fn beside(path: &Path, manifest: &Manifest) -> PathBuf {
    path.parent().unwrap_or(Path::new(".")).join(&manifest.file)
}

fn verified(path: &Path, manifest: &Manifest) -> Result<(), ManifestError> {
    let path = beside(path, manifest);
    let found = sha256(&path, |_| {})?;
    if found == manifest.sha256 {
        return Ok(());
    }
    Err(ManifestError::Hash { path, expected: manifest.sha256.clone(), found })
}

/// The models of a folder: id and manifest path, by name.
#[must_use]
pub fn list(dir: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|e| {
            let path = e.path();
            let id = path.file_name()?.to_str()?.strip_suffix(".yaml")?.to_owned();
            Some((id, path))
        })
        .collect();
    found.sort();
    found
}

/// The sha256 of a file in hex; `read` hears how many bytes were read each time.
///
/// # Errors
/// [`ManifestError::Io`] or [`ManifestError::TooLarge`].
pub fn sha256(path: &Path, mut read: impl FnMut(u64)) -> Result<String, ManifestError> {
    let mut file = std::fs::File::open(path).map_err(io("can't open the model", path))?;
    let size = file.metadata().map_err(io("can't open the model", path))?.len();
    if size > MODEL_BYTES_MAX {
        return Err(ManifestError::TooLarge { path: path.into(), max: MODEL_BYTES_MAX });
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut buffer).map_err(io("can't read the model", path))?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        read(n as u64);
    }
    Ok(HEXLOWER.encode(&hash.finalize()))
}
