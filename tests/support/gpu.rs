//! A box with a GPU: the doubles of TensorRT and CUDA where the loader finds them, and small models for it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use vigia::detect::import::{self, Wishes};
use vigia_sim::onnx::{self, Planted};

use super::shared;

/// Libraries, recipe and plans.
pub struct Gpu {
    dir: TempDir,
}

impl Gpu {
    /// `recipe` as in `engines/`.
    pub fn new(recipe: &str) -> Self {
        let dir = shared::folder();
        let beside = std::env::current_exe().expect("a program has a file");
        let doubles = [
            ("libvigia_double_nvinfer.so", "libnvinfer.so.10", "libnvonnxparser.so.10"),
            ("libvigia_double_cuda.so", "libcuda.so.1", "libcuda.so"),
        ];
        for (double, name, alias) in doubles {
            fs::copy(beside.with_file_name(double), dir.path().join(name)).expect("cargo builds the doubles");
            symlink(name, dir.path().join(alias)).expect("a link");
        }
        symlink("libcuda.so.1", dir.path().join("libnvidia-ml.so.1")).expect("a link");
        fs::write(dir.path().join("recipe.yaml"), recipe).expect("the disk has room");
        Self { dir }
    }

    /// A file of the box.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What the process finds it by, and more.
    pub fn environment(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let at = |name: &str| self.file(name).display().to_string();
        let mut all = vec![
            ("LD_LIBRARY_PATH".to_owned(), self.dir.path().display().to_string()),
            ("VIGIA_TENSORRT_DIR".to_owned(), self.dir.path().display().to_string()),
            ("VIGIA_PLANS_DIR".to_owned(), at("plans")),
            ("VIGIA_RECIPE".to_owned(), at("recipe.yaml")),
            ("VIGIA_NVML_STATE".to_owned(), at("nvml")),
            ("VIGIA_CUDA_STICKY_FILE".to_owned(), at("lose-it")),
        ];
        all.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        all
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
