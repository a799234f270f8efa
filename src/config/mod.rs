//! Configuration from its sources: built-in defaults, then the board's file, the site's
//! file, the environment and the command line, each over the one before.
//!
//! Promises that all that is wrong, in all of them, is reported at once, each with the
//! place it was written. The rules themselves are in [`vigia_core::config`]; the only
//! things known here are YAML, files, variables and flags.

mod layers;
mod marks;
mod private;
mod report;
mod shape;
mod walk;
mod yaml;

use std::io::Read as _;
use std::path::Path;

pub use layers::Flag;
pub use report::{ConfigError, Layer, Origin, Violation};
pub use vigia_core::config::*;

use marks::Node;
use private::ReadError;
use report::Report;
use shape::Schema;

const DEFAULTS: &str = include_str!("../../configs/defaults.yaml");
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The settings to run with, or all that is wrong with them.
pub fn load(
    board: Option<&Path>,
    site: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    flags: Vec<Flag>,
) -> Result<Config, ConfigError> {
    let mut loading = Loading::new();
    for (layer, path) in [(Layer::Board, board), (Layer::Site, site)] {
        let Some(path) = path else { continue };
        let name = path.display().to_string();
        match read_file(path) {
            Ok(bytes) => loading.file(layer, &name, &bytes),
            Err(e) => loading.report.add(Origin::file(layer, &name, 0), "", e.to_string()),
        }
    }
    let env = layers::environment(env);
    loading.settings(env.settings);
    loading.settings(layers::flags(flags));
    let from_env = env.mqtt_password;
    loading.finish(|raw, tree, report| private::read(raw, from_env, tree, report))
}

/// A site file over the defaults, touching nothing outside of `bytes`: names of
/// credentials go unchecked. For editors, tests and the fuzzer.
pub fn parse_site(bytes: &[u8]) -> Result<Config, ConfigError> {
    let mut loading = Loading::new();
    loading.file(Layer::Site, "site.yaml", bytes);
    loading.finish(|_, _, _| Secrets::default())
}

/// What the files may hold, as a JSON schema; kept in `configs/schema.json`.
#[must_use]
pub fn schema() -> serde_json::Value {
    Schema::of_files().into_json()
}

/// The variables of this process, as [`load`] takes them. Those that are no text are left
/// out: none of ours can be among them.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
}

/// The settings so far, and what was wrong on the way.
struct Loading {
    schema: Schema,
    tree: Node,
    report: Report,
}

impl Loading {
    fn new() -> Self {
        let mut report = Report::default();
        let schema = Schema::of_files();
        let tree = yaml::parse(DEFAULTS.as_bytes(), &Origin::Defaults { line: 0 }, &mut report);
        let tree = tree.and_then(|tree| schema.clean(tree, true, &mut report));
        let tree = tree.unwrap_or_else(|| Node::empty_map(Origin::Defaults { line: 0 }));
        Self { schema, tree, report }
    }

    fn file(&mut self, layer: Layer, name: &str, bytes: &[u8]) {
        let origin = Origin::file(layer, name, 0);
        let parsed = yaml::parse(bytes, &origin, &mut self.report);
        if let Some(over) = parsed.and_then(|tree| self.schema.clean(tree, true, &mut self.report)) {
            self.tree.merge(over);
        }
    }

    fn settings(&mut self, settings: Vec<layers::Setting>) {
        for setting in settings {
            layers::apply(setting, &self.schema, &mut self.tree, &mut self.report);
        }
    }

    fn finish(
        mut self,
        secrets: impl FnOnce(&raw::Config, &Node, &mut Report) -> Secrets,
    ) -> Result<Config, ConfigError> {
        let raw: raw::Config = match serde_json::from_value(self.tree.to_json()) {
            Ok(raw) => raw,
            Err(e) => {
                // Defaults hold every key, so it is one inside of an item, or a key of a table.
                let message = format!("a key is missing, or is none: {e}");
                self.report.add(Origin::Defaults { line: 0 }, "", message);
                return Err(self.report.into_error());
            }
        };
        let secrets = secrets(&raw, &self.tree, &mut self.report);
        match check::check(&raw, &secrets) {
            Ok(config) if self.report.is_empty() => Ok(config),
            Ok(_) => Err(self.report.into_error()),
            Err(faults) => {
                for fault in faults {
                    self.report.add_fault(&fault, &self.tree, &self.schema);
                }
                Err(self.report.into_error())
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, ReadError> {
    // Opening a pipe would wait for its writer, so ask what it is first.
    if !std::fs::metadata(path)?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
