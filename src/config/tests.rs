//! Whole files through the loader, held against the very lines it must print.

mod faults;
mod fire;
mod hostile;
mod sources;

use std::path::{Path, PathBuf};

use super::*;

/// A place for a test's files, gone with the value.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn private(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.file(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// The report, with the folder's own name taken out.
    fn report(&self, result: Result<Config, ConfigError>) -> Vec<String> {
        let folder = format!("{}/", self.0.path().display());
        let error = result.expect_err("should be refused").to_string();
        error.replace(&folder, "").lines().map(str::to_owned).collect()
    }
}

fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    let owned: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    owned.into_iter()
}

fn load_site(site: &Path) -> Result<Config, ConfigError> {
    load(None, Some(site), variables(&[]), vec![])
}

/// What is wrong with a site file, one line each.
fn complaints(text: impl AsRef<[u8]>) -> Vec<String> {
    match parse_site(text.as_ref()) {
        Ok(_) => vec![],
        Err(e) => e.to_string().lines().map(str::to_owned).collect(),
    }
}

#[track_caller]
fn check(text: &str, want: &[&str]) {
    let got = complaints(text);
    assert_eq!(got, want, "\n{}", got.join("\n"));
}

/// `VIGIA_BLESS=1 cargo test schema` writes the file anew.
#[test]
fn schema_is_the_one_in_configs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/schema.json");
    if std::env::var_os("VIGIA_BLESS").is_some() {
        std::fs::write(path, format!("{:#}\n", schema())).unwrap();
    }
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(kept == schema(), "configs/schema.json is out of date: run with VIGIA_BLESS=1 and commit it");
}

#[test]
fn defaults_hold_every_key() {
    fn keys(schema: &serde_json::Value, of: &serde_json::Value, path: &str, missing: &mut Vec<String>) {
        let target =
            of.get("$ref").and_then(|r| schema.pointer(r.as_str()?.strip_prefix('#')?)).unwrap_or(of);
        let Some(properties) = target.get("properties").and_then(|p| p.as_object()) else {
            missing.push(path.to_owned());
            return;
        };
        for (key, of) in properties {
            keys(schema, of, &format!("{path}.{key}"), missing);
        }
    }
    let schema = schema();
    let mut paths = Vec::new();
    keys(&schema, &schema, "", &mut paths);
    let mut report = Report::default();
    let tree =
        yaml::parse(DEFAULTS.as_bytes(), &Origin::Defaults { line: 0 }, &mut report).unwrap().to_json();
    let absent: Vec<_> = paths.iter().filter(|p| tree.pointer(&p.replace('.', "/")).is_none()).collect();
    assert!(absent.is_empty() && paths.len() > 40, "{absent:?} of {}", paths.len());
}

#[test]
fn shipped_files_load() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = load(None, None, variables(&[]), vec![]).unwrap();
    assert_eq!(config.streams.iter().map(|s| s.source_id).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(config.streams[5].uri.expose(), "rtsp://localhost:8554/live/5");
    let site = root.join("configs/site.example.yaml");
    let mut boards = 0;
    for entry in std::fs::read_dir(root.join("hardware")).unwrap() {
        let board = entry.unwrap().path();
        if board.extension().is_some_and(|e| e == "yaml") {
            let loaded = load(Some(&board), Some(&site), variables(&[]), vec![]);
            assert!(loaded.is_ok(), "{}: {}", board.display(), loaded.unwrap_err());
            boards += 1;
        }
    }
    assert!(boards > 0);
}
