//! Passwords: the secrets file, the broker's password file, and who else may read them.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use vigia_core::config::{Credentials, Secret, Secrets, raw};

use super::marks::Node;
use super::report::{Layer, Origin, Report, shown};
use super::shape::Schema;
use super::{read_file, yaml};

/// Bits that let the group or everyone in.
const MODE_OTHERS: u32 = 0o077;
const PASSWORD_BYTES_MAX: usize = 4096;

#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("cannot be read: it is not a file")]
    NotAFile,
    #[error("may be read by others: its mode is {0:04o}, want 0600")]
    Mode(u32),
    #[error("holds no password")]
    NoPassword,
    #[error("holds more than one line of text")]
    NotAPassword,
}

/// What the two files hold. What is wrong with them is reported, never shown.
pub(super) fn read(
    raw: &raw::Config,
    mqtt_password: Option<Secret>,
    tree: &Node,
    report: &mut Report,
) -> Secrets {
    let mut secrets = Secrets { mqtt_password, cameras: None };
    if let Some(name) = &raw.secrets_file {
        match read_private(name) {
            Ok(bytes) => secrets.cameras = cameras(name, &bytes, report),
            Err(e) => {
                let message = format!("{} {e}", shown(name));
                report.add(tree.origin_of("secrets_file"), "secrets_file", message);
            }
        }
    }
    if let (Some(name), None) = (&raw.mqtt.password_file, &secrets.mqtt_password) {
        match read_private(name).and_then(password) {
            Ok(password) => secrets.mqtt_password = Some(password),
            Err(e) => {
                let message = format!("{} {e}", shown(name));
                report.add(tree.origin_of("mqtt.password_file"), "mqtt.password_file", message);
            }
        }
    }
    secrets
}

fn read_private(name: &str) -> Result<Vec<u8>, ReadError> {
    let mode = std::fs::metadata(Path::new(name))?.mode();
    if mode & MODE_OTHERS != 0 {
        return Err(ReadError::Mode(mode & 0o7777));
    }
    read_file(Path::new(name))
}

fn password(bytes: Vec<u8>) -> Result<Secret, ReadError> {
    let text = String::from_utf8(bytes).map_err(|_| ReadError::NotAPassword)?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(ReadError::NoPassword);
    }
    if text.len() > PASSWORD_BYTES_MAX || text.contains(char::is_control) {
        return Err(ReadError::NotAPassword);
    }
    Ok(Secret::new(text.to_owned()))
}

/// `None` if anything is wrong: then no camera is told that its credentials are missing.
fn cameras(name: &str, bytes: &[u8], report: &mut Report) -> Option<BTreeMap<String, Credentials>> {
    let origin = Origin::file(Layer::Secrets, name, 0);
    let violations_before = report.len();
    let tree = yaml::parse(bytes, &origin, report)?;
    let tree = Schema::of_secrets().clean(tree, false, report)?;
    let logins: raw::Secrets = serde_json::from_value(tree.to_json()).unwrap_or_default();
    let mut cameras = BTreeMap::new();
    for (name, login) in logins {
        match (login.username, login.password) {
            (Some(username), Some(password)) => {
                cameras.insert(name, Credentials { username, password: Secret::new(password) });
            }
            (username, _) => {
                let key = if username.is_none() { "username" } else { "password" };
                let path = format!("{}.{key}", shown(&name));
                report.add_missing(tree.origin_of(&path), &path);
            }
        }
    }
    (report.len() == violations_before).then_some(cameras)
}
