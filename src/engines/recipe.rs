//! What is asked of a build: precision, batch, effort. `engines/*.yaml` holds what suits a device.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::detect::gpu::BATCH_MAX;

const LEVEL_MAX: u32 = 5;
const WORKSPACE_MIB_MAX: u32 = 65_536;
const FILE_BYTES_MAX: u64 = 1 << 16;

/// How wide the numbers are that the network computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits, as models come.
    Fp32,
    /// 16 bits.
    Fp16,
    /// 8 bits, as a quantised model (Q/DQ nodes) says.
    Int8,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        })
    }
}

/// How to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    pub precision: Precision,
    /// Most images per batch. A model whose graph fixes its batch keeps that.
    pub batch: u32,
    /// How hard to search, 0 to 5.
    pub level: u32,
    /// Most memory the builder may take for one layer.
    pub workspace_mib: u32,
    /// Run on this DLA core what it can run.
    pub dla: Option<u32>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self { precision: Precision::Fp16, batch: 4, level: 3, workspace_mib: 1024, dla: None }
    }
}

/// Why a recipe can't be used.
#[derive(Debug, Error)]
pub enum RecipeError {
    #[error("{what} is {is}: {least} to {most} is expected")]
    Range { what: &'static str, is: u32, least: u32, most: u32 },
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} is larger than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("{}: {what}", .path.display())]
    Yaml { path: PathBuf, what: String },
}

impl Recipe {
    /// From a file of `engines/`.
    ///
    /// # Errors
    /// [`RecipeError`].
    pub fn load(path: &Path) -> Result<Self, RecipeError> {
        let io = |source| RecipeError::Io { path: path.into(), source };
        if std::fs::metadata(path).map_err(io)?.len() > FILE_BYTES_MAX {
            return Err(RecipeError::TooLarge(path.into()));
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        let recipe: Self = serde_saphyr::from_str(&text)
            .map_err(|e| RecipeError::Yaml { path: path.into(), what: e.without_snippet().to_string() })?;
        recipe.checked().map_err(|e| RecipeError::Yaml { path: path.into(), what: e.to_string() })
    }

    /// # Errors
    /// [`RecipeError::Range`].
    pub fn checked(self) -> Result<Self, RecipeError> {
        let rows = [
            ("batch", self.batch, 1, BATCH_MAX),
            ("level", self.level, 0, LEVEL_MAX),
            ("workspace_mib", self.workspace_mib, 1, WORKSPACE_MIB_MAX),
            ("dla", self.dla.unwrap_or(0), 0, 3),
        ];
        match rows.into_iter().find(|(_, is, least, most)| !(least..=most).contains(&is)) {
            Some((what, is, least, most)) => Err(RecipeError::Range { what, is, least, most }),
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_are_read_and_their_mistakes_named() {
        let dir = tempfile::tempdir().expect("the disk has room");
        let read = |text: &str| {
            let path = dir.path().join("nano.yaml");
            std::fs::write(&path, text).expect("the disk has room");
            Recipe::load(&path).map_err(|e| e.to_string())
        };
        let recipe = read("precision: int8\nbatch: 8\ndla: 1\n").expect("a recipe");
        assert_eq!(
            (recipe.precision, recipe.batch, recipe.level, recipe.dla),
            (Precision::Int8, 8, 3, Some(1))
        );
        assert_eq!(read("{}"), Ok(Recipe::default()));
        for (text, expected) in [
            ("batch: 0", "batch is 0: 1 to 32 is expected"),
            ("batch: 33", "batch is 33"),
            ("level: 6", "level is 6: 0 to 5 is expected"),
            ("dla: 4", "dla is 4"),
            ("workspace_mib: 0", "workspace_mib is 0"),
            ("precision: fp8", "fp8"),
            ("batches: 4", "batches"),
            (&"#".repeat(70_000), "larger than 65536 bytes"),
        ] {
            let said = read(text).expect_err(expected);
            assert!(said.contains(expected) && said.contains("nano.yaml"), "{text}: {said}");
        }
    }
}
