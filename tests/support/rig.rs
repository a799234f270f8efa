//! A box with doubles of a GPU's libraries, under command.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::broker::wait_for;
use super::control::{Site, picture};
use super::gpu::{Decoders, Gpu, take_in};
use super::instance::{self, Instance};
use super::shared;

pub const STATUS: &str = "nvr/control/status/box";

pub struct Rig {
    pub site: Site,
    pub gpu: Gpu,
    pub models: TempDir,
    /// At the end of the site's file.
    pub more: &'static str,
}

impl Rig {
    /// Models by their names, with their sides and how sure they are. None has a plan.
    pub fn new(models: &[(&str, [i64; 2], f32)]) -> Option<Self> {
        let (site, gpu) = (Site::start()?, Gpu::new("{precision: fp32, batch: 2}", Decoders::None));
        let folder = shared::folder();
        for (id, sides, confidence) in models {
            take_in(folder.path(), id, *sides, *confidence);
        }
        Some(Self { site, gpu, models: folder, more: "" })
    }

    /// Starts vigia with the model `small`. `engine` may be followed by more settings of the detector.
    pub fn start(&self, environment: &[(&str, &str)], engine: &str) -> Instance {
        let site = format!(
            "instance_id: box\nmqtt: {{ host: 127.0.0.1, port: {}, keepalive_s: 5 }}\nmetrics: {{ interval_s: 0 }}\n\
             control: {{ enabled: true, journal: {} }}\nstream_defaults: {{ max_fps: 20 }}\n\
             detector: {{ model: small, engine: {engine} }}\nstreams:\n{}{}",
            self.site.broker.port,
            self.gpu.file("journal").display(),
            picture(1, 20),
            self.more,
        );
        let environment = self.gpu.environment(environment);
        let environment: Vec<_> = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        Instance::with_site(self.models.path(), &site, &[], &environment)
    }

    pub fn await_status(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let last = || instance::payloads(&self.site.witness, STATUS).pop();
        wait_for("the status", Duration::from_secs(60), || last().is_some_and(|status| wanted(&status)));
        last().expect("just seen")
    }

    /// New detections come from this model.
    pub fn sees_with(&self, model: &str) {
        self.site.await_detections(1, 3);
        let last = instance::payloads(&self.site.witness, "nvr/detections/1").pop().expect("a detection");
        assert_eq!(last["model_id"], model, "{last:#}");
    }
}
