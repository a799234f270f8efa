//! Configuration files read anew while the instance runs.

use alloc::vec::Vec;

use super::desired::Desired;
use super::overlay::{Overlay, Restored};
use crate::config::Config;

/// What commands changed, on top of files read anew.
#[must_use]
pub fn reload(desired: &Desired, old: &Config, new: &Config) -> Restored {
    let secrets = desired.streams.iter().map(|s| (s.source_id, s.uri.clone())).collect();
    Overlay::of(desired, old).onto(new, &secrets)
}

/// Settings outside the desired state that differ. They are read at the start only.
#[must_use]
pub fn restart_needed(old: &Config, new: &Config) -> Vec<&'static str> {
    let (a, b) = (&old.detector, &new.detector);
    let table = [
        ("instance_id", old.instance_id != new.instance_id),
        ("detector.models_dir", a.models_dir != b.models_dir),
        ("detector.engine", a.engine != b.engine),
        ("detector.fallback", a.fallback != b.fallback),
        ("detector.mode", a.mode != b.mode),
        ("detector.nms_iou", a.nms_iou != b.nms_iou),
        ("detector.detections_max", a.detections_max != b.detections_max),
        ("detector.threads", a.threads != b.threads),
        ("detector.openvino_dir", a.openvino_dir != b.openvino_dir),
        ("detector.tensorrt_dir", a.tensorrt_dir != b.tensorrt_dir),
        ("detector.plans_dir", a.plans_dir != b.plans_dir),
        ("detector.recipe", a.recipe != b.recipe),
        ("camera", old.camera != new.camera),
        ("mqtt", old.mqtt != new.mqtt),
        ("fire", old.fire != new.fire),
        ("pump", old.pump != new.pump),
        ("control", old.control != new.control),
        ("metrics", old.metrics != new.metrics),
        ("log", old.log != new.log),
    ];
    table.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
