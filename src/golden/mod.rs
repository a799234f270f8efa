//! Golden frames: the pictures on which a plan must find what the reference finds.
//!
//! 36 rendered ones (`models/golden`, of `vigia-sim scenes dataset`) are part of the program. They show fire, smoke,
//! people and vehicles; a model for other things brings its own, as JPEG files in `MODELS/ID/golden`. Decoding is
//! ours and not a plugin's, so that all boxes see the same pixels.

pub mod agreement;

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use gst_video::{
    VideoColorMatrix, VideoColorPrimaries, VideoColorRange, VideoColorimetry, VideoFormat, VideoInfo,
    VideoTransferFunction,
};
use sha2::{Digest, Sha256};
use thiserror::Error;
use vigia_core::event::Utc;
use vigia_core::time::Instant;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::frame::{Frame, Surface};

/// Most pictures of a model's own, their bytes and their sides.
const FILES_MAX: usize = 256;
const FILE_BYTES_MAX: u64 = 8 << 20;
const SIDE_MAX: usize = 4096;

macro_rules! shipped {
    ($($name:literal)*) => {
        [$(($name, include_bytes!(concat!("../../models/golden/", $name, ".jpg")) as &[u8])),*]
    };
}

static SHIPPED: [(&str, &[u8]); 36] = shipped!(
    "000000" "000001" "000002" "000003" "000004" "000005" "000006" "000007" "000008" "000009" "000010" "000011"
    "000012" "000013" "000014" "000015" "000016" "000017" "000018" "000019" "000020" "000021" "000022" "000023"
    "000024" "000025" "000026" "000027" "000028" "000029" "000030" "000031" "000032" "000033" "000034" "000035"
);

/// Why there are no golden frames.
#[derive(Debug, Error)]
pub enum GoldenError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: {what}", .path.display())]
    Jpeg { path: PathBuf, what: String },
    #[error("{} holds more than {FILES_MAX} JPEG files", .0.display())]
    Many(PathBuf),
    #[error("GStreamer does not start: {0}")]
    Gst(#[from] gst::glib::Error),
}

/// The frames of a model, in their order.
#[derive(Debug)]
pub struct Golden {
    files: Vec<(PathBuf, Cow<'static, [u8]>)>,
    sha256: String,
}

impl Golden {
    /// A model's own in `MODELS/ID/golden`, or those that ship with the program.
    ///
    /// # Errors
    /// [`GoldenError`] of the model's own.
    pub fn of(models: &Path, id: &str) -> Result<Self, GoldenError> {
        gst::init()?;
        let own = own(&models.join(id).join("golden"))?;
        let files = if own.is_empty() { shipped() } else { own };
        let mut hash = Sha256::new();
        for (_, bytes) in &files {
            hash.update(bytes);
        }
        let sha256 = HEXLOWER.encode(&hash.finalize());
        Ok(Self { files, sha256 })
    }

    /// Those of the program.
    ///
    /// # Errors
    /// [`GoldenError::Gst`].
    pub fn shipped() -> Result<Self, GoldenError> {
        Self::of(Path::new(""), "")
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Over all files.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// One of them, as a camera would give it: NV12, in host memory.
    ///
    /// # Errors
    /// [`GoldenError::Jpeg`], also for a number that there is not.
    pub fn frame(&self, number: usize) -> Result<Frame, GoldenError> {
        let Some((path, bytes)) = self.files.get(number) else {
            let what = format!("there are {} golden frames", self.len());
            return Err(GoldenError::Jpeg { path: PathBuf::from(number.to_string()), what });
        };
        let surface = nv12(bytes).map_err(|what| GoldenError::Jpeg { path: path.clone(), what })?;
        Ok(Frame {
            source_id: 0,
            picture: number as u64,
            captured: Utc::from_unix_ns(0),
            captured_at: Instant(0),
            pts_ms: 0.0,
            surface,
        })
    }
}

/// A file by its path, for sentences, and what it holds.
type File = (PathBuf, Cow<'static, [u8]>);

fn shipped() -> Vec<File> {
    let path = |name: &str| PathBuf::from(format!("models/golden/{name}.jpg"));
    SHIPPED.iter().map(|(name, bytes)| (path(name), Cow::Borrowed(*bytes))).collect()
}

fn own(dir: &Path) -> Result<Vec<File>, GoldenError> {
    let is_jpeg = |p: &PathBuf| p.extension().is_some_and(|e| e == "jpg" || e == "jpeg");
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|e| e.path()).filter(is_jpeg).take(FILES_MAX + 1).collect();
    if paths.len() > FILES_MAX {
        return Err(GoldenError::Many(dir.into()));
    }
    paths.sort();
    let read = |path: PathBuf| {
        let io = |source| GoldenError::Io { path: path.clone(), source };
        if fs::metadata(&path).map_err(io)?.len() > FILE_BYTES_MAX {
            return Err(GoldenError::Jpeg {
                path,
                what: format!("it is larger than {FILE_BYTES_MAX} bytes"),
            });
        }
        let bytes = fs::read(&path).map_err(io)?;
        Ok((path, Cow::Owned(bytes)))
    };
    paths.into_iter().map(read).collect()
}

/// Full range, BT.601, as JPEG has it; of odd sides the last row or column is left out.
fn nv12(jpeg: &[u8]) -> Result<Surface, String> {
    let options = DecoderOptions::default()
        .set_max_width(SIDE_MAX)
        .set_max_height(SIDE_MAX)
        .jpeg_set_out_colorspace(ColorSpace::YCbCr);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let pixels = decoder.decode().map_err(|e| e.to_string())?;
    let (full, rows) = decoder.dimensions().ok_or("it has no size")?;
    let (width, height) = (full & !1, rows & !1);
    if width == 0 || height == 0 || pixels.len() != full * rows * 3 {
        return Err(format!("a colour picture is expected; it has {full}x{rows} pixels"));
    }
    let side = |n: usize| u32::try_from(n).map_err(|e| e.to_string());
    let colours = VideoColorimetry::new(
        VideoColorRange::Range0_255,
        VideoColorMatrix::Bt601,
        VideoTransferFunction::Unknown,
        VideoColorPrimaries::Unknown,
    );
    let info = VideoInfo::builder(VideoFormat::Nv12, side(width)?, side(height)?).colorimetry(&colours);
    let info = info.build().map_err(|e| e.to_string())?;
    let stride = usize::try_from(info.stride()[0]).map_err(|e| e.to_string())?;
    let mut planes = vec![0; info.size()];
    let (luma, chroma) = planes.split_at_mut(info.offset()[1]);
    for (to, from) in luma.chunks_mut(stride).zip(pixels.chunks_exact(full * 3)).take(height) {
        for (y, pixel) in to.iter_mut().zip(from.chunks_exact(3)).take(width) {
            *y = pixel[0];
        }
    }
    for (to, two) in chroma.chunks_mut(stride).zip(pixels.chunks_exact(full * 6)).take(height / 2) {
        let (upper, lower) = two.split_at(full * 3);
        let squares = upper.chunks_exact(6).zip(lower.chunks_exact(6));
        for (pair, (u, l)) in to.chunks_exact_mut(2).zip(squares).take(width / 2) {
            pair[0] = mean([u[1], u[4], l[1], l[4]]);
            pair[1] = mean([u[2], u[5], l[2], l[5]]);
        }
    }
    Ok(Surface::System { buffer: gst::Buffer::from_mut_slice(planes), info })
}

fn mean(four: [u8; 4]) -> u8 {
    let sum: u16 = four.into_iter().map(u16::from).sum();
    u8::try_from((sum + 2) / 4).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_ship_are_pictures_of_a_camera() {
        let golden = Golden::shipped().expect("they are in the program");
        assert_eq!((golden.len(), golden.sha256().len()), (36, 64));
        for number in 0..golden.len() {
            let frame = golden.frame(number).expect("a picture");
            let Surface::System { buffer, info } = &frame.surface else { panic!("host memory") };
            assert_eq!((info.width(), info.height(), buffer.size()), (640, 360, 640 * 540));
            let map = buffer.map_readable().expect("it can be read");
            let (least, most) = (map.iter().min(), map.iter().max());
            assert!(most > least, "{number} is empty");
        }
        let said = golden.frame(36).expect_err("there are 36").to_string();
        assert!(said.contains("there are 36 golden frames"), "{said}");
    }

    #[test]
    fn a_models_own_go_before_and_must_be_whole() {
        let models = tempfile::tempdir().expect("the disk has room");
        let dir = models.path().join("tulip/golden");
        fs::create_dir_all(&dir).expect("the disk has room");
        let put = |name: &str, bytes: &[u8]| fs::write(dir.join(name), bytes).expect("the disk has room");
        let shipped = Golden::of(models.path(), "tulip").expect("the shipped ones");
        put("b.jpg", SHIPPED[1].1);
        put("a.jpg", SHIPPED[0].1);
        put("notes.txt", b"not one");
        let own = Golden::of(models.path(), "tulip").expect("two pictures");
        assert_eq!(own.len(), 2);
        assert_ne!(own.sha256(), shipped.sha256());
        own.frame(1).expect("a picture");
        let half = &SHIPPED[0].1[..SHIPPED[0].1.len() / 8];
        for (torn, what) in [(&b"GIF89a"[..], "c.jpg"), (&[], "c.jpg"), (half, "c.jpg")] {
            put("c.jpg", torn);
            let golden = Golden::of(models.path(), "tulip").expect("three files");
            if let Err(e) = golden.frame(2) {
                assert!(e.to_string().contains(what), "{e}");
            } else {
                assert_eq!(torn.len(), half.len(), "a decoder may mend what is cut short, not what is none");
            }
        }
    }
}
