//! A box with a GPU, made of doubles: the driver, TensorRT, and NVIDIA's decoders.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use vigia::detect::import::{self, Wishes};
use vigia_sim::onnx::{self, Planted};

use super::shared;

/// What a box has beside its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoders {
    None,
    /// A graphics card's.
    Nvdec,
    /// Orin's: surfaces behind EGL, and no NVDEC elements.
    Jetson,
}

/// The folder with all that the loader and GStreamer shall find there.
#[derive(Debug)]
pub struct Gpu {
    dir: TempDir,
    decoders: Decoders,
}

impl Gpu {
    /// A recipe is one of `engines/`, as text.
    pub fn new(recipe: &str, decoders: Decoders) -> Self {
        let beside = std::env::current_exe().expect("a program has a file");
        let gpu = Self { dir: shared::folder(), decoders };
        let place = |double: &str, names: &[&str]| {
            let from = beside.with_file_name(format!("libvigia_double_{double}.so"));
            assert!(from.exists(), "{} is missing; cargo builds it for tests", from.display());
            for name in names {
                symlink(&from, gpu.path().join(name)).expect("a link");
            }
        };
        place("nvinfer", &["libnvinfer.so.10", "libnvonnxparser.so.10"]);
        place("cuda", &["libcuda.so.1", "libcuda.so", "libnvidia-ml.so.1"]);
        if decoders == Decoders::Jetson {
            place("cuda", &["libEGL.so.1", "libnvbufsurface.so"]);
        }
        fs::create_dir(gpu.path().join("plugins")).expect("the disk has room");
        if decoders != Decoders::None {
            place("decoders", &["plugins/libvigia_double_decoders.so"]);
        }
        fs::write(gpu.path().join("recipe.yaml"), recipe).expect("the disk has room");
        gpu
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A file of the box.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn plans(&self) -> PathBuf {
        self.path().join("plans")
    }

    /// The environment of a program that shall find it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let dir = self.path().display();
        let mut all = vec![
            ("LD_LIBRARY_PATH", dir.to_string()),
            ("VIGIA_TENSORRT_DIR", dir.to_string()),
            ("VIGIA_PLANS_DIR", format!("{dir}/plans")),
            ("VIGIA_RECIPE", format!("{dir}/recipe.yaml")),
            ("VIGIA_CUDA_COUNTS", format!("{dir}/counts")),
            ("VIGIA_NVML_STATE", format!("{dir}/nvml")),
            ("VIGIA_CUDA_STICKY_FILE", format!("{dir}/lose-it")),
            ("GST_PLUGIN_PATH", format!("{dir}/plugins")),
            ("GST_REGISTRY", format!("{dir}/registry.bin")),
        ];
        if self.decoders == Decoders::Jetson {
            all.push(("VIGIA_CUDA_DEVICE", "orin".to_owned()));
            all.push(("VIGIA_DECODERS_ONLY", "nvv4l2decoder".to_owned()));
        }
        all
    }

    /// The same, and more.
    pub fn environment(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = self.variables().into_iter().map(|(name, value)| (name.to_owned(), value));
        own.chain(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
    }

    /// Builds the plans of these models, so that nobody has to wait for them.
    pub fn build(&self, models: &Path, ids: &[&str]) {
        for id in ids {
            let mut command = Command::new(env!("CARGO_BIN_EXE_vigia"));
            command.args(["engine", "build", id, "--models-dir"]).arg(models);
            for (option, name) in
                [("--plans-dir", "plans"), ("--profile", "recipe.yaml"), ("--tensorrt-dir", "")]
            {
                command.arg(option).arg(self.file(name));
            }
            let built = command.envs(self.environment(&[])).output().expect("vigia starts");
            assert!(built.status.success(), "{id}: {}", String::from_utf8_lossy(&built.stderr));
        }
    }

    /// The same for a shell.
    pub fn settings(&self) -> String {
        self.variables().iter().map(|(name, value)| format!("export {name}='{value}';")).collect()
    }

    /// What the driver counted in the process that ended last: names as in the double's `count.rs`.
    pub fn counts(&self) -> Counts {
        let text = fs::read_to_string(self.path().join("counts")).expect("a process with a GPU has ended");
        let line = |line: &str| {
            let (name, number) = line.split_once(' ')?;
            Some((name.to_owned(), number.parse().ok()?))
        };
        Counts(text.lines().filter_map(line).collect())
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// 0 for what never happened.
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// Takes a model into `models` that sees one fire in every picture, with this confidence.
pub fn take_in(models: &Path, id: &str, sides: [i64; 2], confidence: f32) {
    let mut output = Planted::nothing(&[1, 300, 7]);
    output.values[..5].copy_from_slice(&[0.5, 0.5, 0.5, 0.25, confidence]);
    let names = "{0: 'fire', 1: 'smoke', 2: 'person'}";
    let model = onnx::model(sides.map(Some), Some(names), &[output]);
    let dir = shared::folder();
    let file = dir.path().join(format!("{id}.onnx"));
    fs::write(&file, model.write_buf().expect("a graph can be written")).expect("the disk has room");
    let manifest = import::examine(&file, &Wishes::default(), |_| {}).expect("it is a detector");
    import::store(&file, &manifest, models).expect("it can be stored");
}
