//! How well a plan finds what its model finds: on golden frames, against rten in 32 bits.
//!
//! A model that was quantised says from which (`quantised_from` in its manifest), and is compared with that one. The
//! figures go into the plan's passport; below the [`gate`] of its precision a plan is not taken. What it saw in a few
//! of the frames goes along, so that each load can see whether it still does.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vigia_accel::trt::Go;
use vigia_core::config::Engine as Choice;
use vigia_core::detection::{BBox, Detection};

use super::recipe::Precision;
use crate::detect::engine::{self, EngineError, EngineOptions, Mode};
use crate::detect::manifest::{self, Located, ManifestError};
use crate::detect::network::Network;
use crate::detect::{FrameError, Suppression};
use crate::golden::agreement::{Agreement, FLOOR};
use crate::golden::{Golden, GoldenError};

/// As sites have it if they don't say otherwise; a plan is measured with this, whatever the site says.
pub const SUPPRESSION: Suppression = Suppression { iou: 0.45, detections_max: 300 };
/// Fewer objects of the reference tell nothing about a quantised model.
const OBJECTS_LEAST: usize = 20;
/// Frames that are looked at again at each load.
const WITNESSES: usize = 3;
/// Of a hundred objects in them, seen again at least and new at most. The same plan on the same GPU: nearly all.
const AGAIN: (usize, usize) = (90, 10);

/// How a plan compares with its reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Which model rten ran.
    pub reference: String,
    pub frames: usize,
    /// Of the frames' files.
    pub frames_sha256: String,
    #[serde(flatten)]
    pub agreement: Agreement,
    pub witnesses: Vec<Witness>,
}

/// What the plan saw in a golden frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    pub frame: usize,
    pub seen: Vec<Seen>,
}

/// A detection; the box by its corners, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub class_id: u16,
    pub confidence: f32,
    pub bbox: [f32; 4],
}

/// Why a plan is not taken, or can't be judged.
#[derive(Debug, Error)]
pub enum AccuracyError {
    #[error(
        "the {precision} plan of {id} is not taken: of {} objects that {reference} shows in the golden frames it \
         finds {}, {}% are asked for, and {} of its own {} reports are wrong, {}% at most; plans that are there stay",
        .agreement.objects, .agreement.found, .gate.0, .agreement.invented, .agreement.reported, .gate.1
    )]
    Refused {
        id: String,
        precision: Precision,
        reference: String,
        agreement: Agreement,
        /// Of a hundred: found at least, wrong at most.
        gate: (usize, usize),
    },
    #[error(
        "the {precision} plan of {id} can't be judged: the golden frames show {objects} objects that {reference} \
         knows, {OBJECTS_LEAST} are needed; put pictures of what it is for into {id}/golden beside it, as JPEG files"
    )]
    Nothing { id: String, precision: Precision, reference: String, objects: usize },
    #[error(
        "the plan of {id} does not see what it saw when it was measured: {} of {} objects, and {} that are new",
        .again.found, .again.objects, .again.invented
    )]
    Changed { id: String, again: Agreement },
    #[error("the model that {id} was quantised from: {source}")]
    Base { id: String, source: ManifestError },
    #[error("{id} and {base}, which it was quantised from, have not the same classes")]
    Classes { id: String, base: String },
    #[error("the reference {id} does not run: {source}")]
    Reference { id: String, source: EngineError },
    #[error("the comparison with the reference was cancelled")]
    Cancelled,
    #[error(transparent)]
    Golden(#[from] GoldenError),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Of a hundred: objects that are found at least, and reports that are wrong at most.
#[must_use]
pub const fn gate(precision: Precision) -> (usize, usize) {
    match precision {
        Precision::Fp32 | Precision::Fp16 => (97, 3),
        Precision::Int8 => (95, 5),
    }
}

impl Accuracy {
    /// Runs the plan and its reference on all golden frames; `hears` is told of a hundred how much is done. `plan`
    /// suppresses with [`SUPPRESSION`] afterwards.
    ///
    /// # Errors
    /// [`AccuracyError`], but for refusals: see [`Self::verdict`].
    pub fn measure(
        plan: &mut Network,
        located: &Located,
        mut hears: impl FnMut(u8) -> Go,
    ) -> Result<Self, AccuracyError> {
        let golden = Golden::of(located.folder(), &located.manifest.id)?;
        let (reference, mut network) = reference(located)?;
        plan.suppress(SUPPRESSION);
        let (mut wanted, mut seen) = (Vec::new(), Vec::new());
        for number in 0..golden.len() {
            let frame = golden.frame(number)?;
            wanted.push(network.look(&frame, FLOOR)?);
            seen.push(plan.look(&frame, FLOOR)?);
            if hears(u8::try_from((number + 1) * 100 / golden.len()).unwrap_or(100)) == Go::Cancel {
                return Err(AccuracyError::Cancelled);
            }
        }
        Ok(Self {
            reference,
            frames: golden.len(),
            frames_sha256: golden.sha256().to_owned(),
            agreement: Agreement::of(&wanted, &seen),
            witnesses: witnesses(&seen),
        })
    }

    /// Whether a plan of this precision may be used.
    ///
    /// # Errors
    /// [`AccuracyError::Refused`] with the figures; [`AccuracyError::Nothing`].
    pub fn verdict(&self, id: &str, precision: Precision) -> Result<(), AccuracyError> {
        let (id, reference) = (id.to_owned(), self.reference.clone());
        let (agreement, gate) = (self.agreement, gate(precision));
        if !agreement.reaches(gate.0, gate.1) {
            return Err(AccuracyError::Refused { id, precision, reference, agreement, gate });
        }
        let objects = agreement.objects;
        if precision == Precision::Int8 && objects < OBJECTS_LEAST {
            return Err(AccuracyError::Nothing { id, precision, reference, objects });
        }
        Ok(())
    }

    /// Whether the plan, just loaded, still sees what it saw. Nothing if it was measured on other frames than there
    /// are now.
    ///
    /// # Errors
    /// [`AccuracyError::Changed`], or why it can't look.
    pub fn still(&self, plan: &mut Network, located: &Located) -> Result<Option<()>, AccuracyError> {
        let id = &located.manifest.id;
        let golden = Golden::of(located.folder(), id)?;
        if golden.sha256() != self.frames_sha256 {
            return Ok(None);
        }
        plan.suppress(SUPPRESSION);
        let (mut then, mut now) = (Vec::new(), Vec::new());
        for witness in &self.witnesses {
            then.push(witness.seen.iter().map(Seen::detection).collect());
            now.push(plan.look(&golden.frame(witness.frame)?, FLOOR)?);
        }
        let again = Agreement::of(&then, &now);
        if again.reaches(AGAIN.0, AGAIN.1) {
            return Ok(Some(()));
        }
        Err(AccuracyError::Changed { id: id.clone(), again })
    }
}

impl Seen {
    #[must_use]
    pub fn of(d: &Detection) -> Self {
        let BBox { x1, y1, x2, y2 } = d.bbox;
        Self { class_id: d.class_id, confidence: d.confidence, bbox: [x1, y1, x2, y2] }
    }

    #[must_use]
    pub fn detection(&self) -> Detection {
        let [x1, y1, x2, y2] = self.bbox;
        let bbox = BBox { x1, y1, x2, y2 };
        Detection { class_id: self.class_id, confidence: self.confidence, bbox, tracker_id: None }
    }
}

/// The frames in which it saw most.
fn witnesses(seen: &[Vec<Detection>]) -> Vec<Witness> {
    let mut order: Vec<_> = seen.iter().enumerate().collect();
    order.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.len()));
    let witness = |(frame, seen): (usize, &Vec<Detection>)| Witness {
        frame,
        seen: seen.iter().map(Seen::of).collect(),
    };
    order.into_iter().take(WITNESSES).map(witness).collect()
}

/// What a plan is compared with: the model that was quantised, or the model itself, on the processor; and its name.
///
/// # Errors
/// [`AccuracyError`].
pub fn reference(located: &Located) -> Result<(String, Network), AccuracyError> {
    let id = &located.manifest.id;
    let base = located.manifest.quantised_from.as_ref().map(|base| {
        let base = manifest::locate(located.folder(), base);
        base.map_err(|source| AccuracyError::Base { id: id.clone(), source })
    });
    let base = base.transpose()?;
    let base = base.as_ref().unwrap_or(located);
    let of = base.manifest.id.clone();
    if base.manifest.classes != located.manifest.classes {
        return Err(AccuracyError::Classes { id: id.clone(), base: of });
    }
    let options = EngineOptions {
        choice: Choice::Rten,
        mode: Mode::Latency,
        threads: None,
        openvino_dir: None,
        width: base.manifest.input.width,
        height: base.manifest.input.height,
    };
    let opened = engine::open(&base.onnx, &options);
    let engine = opened.map_err(|source| AccuracyError::Reference { id: of.clone(), source })?.engine;
    Ok((of, Network::new(engine, Arc::new(base.manifest.clone()), SUPPRESSION)))
}
