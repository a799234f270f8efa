//! Another model: for a command, or back to the one before.

use vigia_core::control::{Code, Effect, Refusal};

use super::paper::{failed, frame_ref};
use super::{Operator, PROOF_WITHIN, Proof};
use crate::app::trial;
use crate::clock;
use crate::model::Loaded;

impl Operator {
    pub(super) fn swap(&mut self, model: &str, shadow_frames: u32) -> Proof {
        let proof = self.load(model).and_then(|loaded| self.put(model, loaded, shadow_frames));
        match &proof {
            // A plan for the model before is of no use now.
            Ok(_) => {
                self.end_build();
                self.waits = false;
            }
            Err(why) if self.waits && self.build.is_none() && why.code != Code::Interrupted => {
                self.build_again();
            }
            Err(_) => {}
        }
        proof
    }

    /// What was before, at once: nobody waits for a plan of it.
    pub(super) fn swap_back(&mut self, model: &str) -> Proof {
        let streams = self.current.streams.clone();
        let loaded = match self.degraded.clone() {
            Some(why) => self.load_instead(model, &streams, &why),
            None => self.load_somehow(model, &streams),
        };
        self.put(model, loaded?, 0)
    }

    /// Tries it on live frames, and puts it to work.
    pub(super) fn put(&mut self, model: &str, loaded: Loaded, shadow_frames: u32) -> Proof {
        let described = loaded.describe();
        let mut network = Box::new(loaded.network);
        let (latest, inquiry) = (&self.tools.latest, &self.tools.inquiry);
        let shadow = trial::run(&mut network, latest, inquiry, shadow_frames).map_err(|e| {
            Refusal::new(Code::BadModel, format!("the model {model} fails on a live frame: {e}"))
        })?;
        self.begin();
        let speaking = self.speaking();
        let _asking = self.tools.inquiry.begin();
        let carried = self.running()?.swap(network).map_err(|e| failed(&e))?;
        let generation = carried.generation;
        let until = clock::now().after(PROOF_WITHIN);
        let first_frame =
            self.tools.inquiry.first_of_each(speaking, until, |seen| seen.generation == generation);
        if self.running()?.settle().map_err(|e| failed(&e))? != generation {
            let text = format!("the model {model} fails on live frames; rolled back");
            return Err(Refusal::new(Code::RolledBack, text));
        }
        self.engine = Some(described);
        Ok(Effect {
            generation: Some(generation),
            model_id: Some(model.to_owned()),
            last_frame: carried.last_frames.iter().map(|(id, frame_id)| frame_ref(*id, *frame_id)).collect(),
            first_frame,
            shadow,
            ..Effect::default()
        })
    }
}
