//! A site is judged as a whole: what the folder brings, and what the box keeps of the rest.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::folder::{Found, Piece};
use crate::config::{self, Flag};
use crate::detect::manifest;
use crate::update::{Places, tool};

const OPENSSL_MAX: Duration = Duration::from_secs(20);
const NAME_LEN_MAX: usize = 63;

/// Everything that is wrong, a sentence each.
pub fn all(found: &Found, places: &Places) -> Vec<String> {
    let mut wrong = Vec::new();
    site(found, places, &mut wrong);
    for piece in &found.pieces {
        let text = piece.bytes.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        match piece.name.as_str() {
            "name" => name(text.trim(), &mut wrong),
            "people" => people(&text, places, &mut wrong),
            "time.sources" => sources(&text, &mut wrong),
            other if other.starts_with("network/") => network(other, &text, &mut wrong),
            _ => {}
        }
    }
    certificates(found, &mut wrong);
    wrong
}

/// The file that will be in force.
fn in_force(found: &Found, names: &[&str], kept: PathBuf) -> Option<PathBuf> {
    let new = names.iter().find_map(|name| found.piece(name)).map(|piece| piece.from.clone());
    new.or_else(|| kept.exists().then_some(kept))
}

/// As `vigia check-config` and `vigia-pump check` do it.
fn site(found: &Found, places: &Places, wrong: &mut Vec<String>) {
    let touched = ["site.yaml", "board.yaml", "board", "secrets.yaml"];
    let has_models = found.pieces.iter().any(|piece| piece.name.starts_with("models/"));
    if !has_models && !touched.iter().any(|name| found.piece(name).is_some()) {
        return;
    }
    if found.piece("board").is_some() && found.piece("board.yaml").is_some() {
        wrong.push("board and board.yaml name the board twice: leave one of them out".into());
    }
    let board = in_force(found, &["board.yaml", "board"], places.at("etc/vigia/board.yaml"));
    let Some(file) = in_force(found, &["site.yaml"], places.at("etc/vigia/site.yaml")) else { return };
    let secrets = match secrets(found, places) {
        Ok(flag) => flag,
        Err(e) => return wrong.push(format!("secrets.yaml: {e}")),
    };
    let flags = secrets.as_ref().map(|(_, flag)| flag.clone()).into_iter().collect();
    let config = match config::load(board.as_deref(), Some(&file), std::iter::empty(), flags) {
        Ok(config) => config,
        Err(e) => return wrong.push(e.to_string()),
    };
    let model = &config.detector.model;
    let on_stick = found.piece(&format!("models/{model}.yaml")).is_some();
    if !on_stick && let Err(e) = manifest::locate(Path::new(&config.detector.models_dir), model) {
        wrong.push(format!("detector.model: {e}; the folder has no models/{model}.yaml either"));
    }
    if config.pump.is_some() {
        match &board {
            None => wrong.push("the site has a pump, and neither the folder nor the box a board.yaml".into()),
            Some(board) => {
                if let Err(e) = vigia_pump::settings::load(board, &file, None) {
                    wrong.push(e.to_string());
                }
            }
        }
    }
}

/// The new secrets where only we can read them, in the place of those that the site names.
fn secrets(found: &Found, places: &Places) -> std::io::Result<Option<(tempfile::TempDir, Flag)>> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let Some(bytes) = found.piece("secrets.yaml").and_then(|piece| piece.bytes.as_deref()) else {
        return Ok(None);
    };
    let dir = tempfile::tempdir_in(places.at("run"))?;
    let path = dir.path().join("secrets.yaml");
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    std::io::Write::write_all(&mut file, bytes)?;
    let flag = Flag::new("secrets_file", path.display().to_string(), "secrets.yaml");
    Ok(Some((dir, flag)))
}

fn name(name: &str, wrong: &mut Vec<String>) {
    let is_good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let edge = name.starts_with('-') || name.ends_with('-');
    if name.is_empty() || name.len() > NAME_LEN_MAX || edge || !name.bytes().all(is_good) {
        wrong.push(format!(
            "name: «{}» is no name of a box: 1 to {NAME_LEN_MAX} letters, digits and dashes inside",
            name.chars().take(NAME_LEN_MAX).filter(|c| !c.is_control()).collect::<String>()
        ));
    }
}

/// As `/usr/lib/vigia/pki` reads it: who, role.
fn people(text: &str, places: &Places, wrong: &mut Vec<String>) {
    let roles = places.at("usr/share/vigia/broker/roles");
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_name = |who: &str| {
            who != "vigia" && who.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let is_role = |role: &str| {
            role.bytes().all(|b| b.is_ascii_lowercase()) && roles.join(format!("{role}.acl")).exists()
        };
        if !matches!(words[..], [who, role] if is_name(who) && is_role(role)) {
            let known: Vec<String> = names_in(&roles);
            let at = at + 1;
            wrong
                .push(format!("people:{at}: each line is a name and a role; roles are {}", known.join(", ")));
        }
    }
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|e| Some(e.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

/// What chrony reads from a folder of sources.
fn sources(text: &str, wrong: &mut Vec<String>) {
    let is_line = |line: &str| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("server" | "pool" | "peer")) && words.next().is_some()
    };
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    for (at, _) in lines.filter(|(_, l)| !l.is_empty() && !l.starts_with('#') && !is_line(l)) {
        wrong.push(format!("time.sources:{at}: a line is «server HOST», «pool HOST» or «peer HOST»"));
    }
}

/// A slip here takes the box off the network.
fn network(name: &str, text: &str, wrong: &mut Vec<String>) {
    for section in ["[Match]", "[Network]"] {
        if !text.lines().any(|line| line.trim() == section) {
            wrong.push(format!("{name}: there is no section {section}, as systemd.network(5) wants it"));
        }
    }
}

/// A site's own CA: it, and the broker's certificate and key that it has made.
fn certificates(found: &Found, wrong: &mut Vec<String>) {
    let three = ["ca.crt", "broker.crt", "broker.key"].map(|name| found.piece(name));
    let [Some(ca), Some(certificate), Some(key)] = three else {
        if three.iter().any(Option::is_some) {
            wrong.push("ca.crt, broker.crt and broker.key belong together: one of them is missing".into());
        }
        return;
    };
    // The chain without its dates: a box may not know the day yet.
    let chain =
        openssl(&["verify", "-no_check_time", "-purpose", "sslserver", "-CAfile"], &[ca, certificate]);
    if let Err(e) = chain {
        wrong.push(format!("broker.crt was not made by ca.crt for a server: {e}"));
    }
    for piece in [ca, certificate] {
        if openssl(&["x509", "-noout", "-checkend", "0", "-in"], &[piece]).is_err() {
            wrong.push(format!("{} has ended, or is no certificate", piece.name));
        }
    }
    let of_certificate = openssl(&["x509", "-noout", "-pubkey", "-in"], &[certificate]);
    let of_key = openssl(&["pkey", "-pubout", "-in"], &[key]);
    match (of_certificate, of_key) {
        (Ok(a), Ok(b)) if a == b => {}
        (_, Err(_)) => wrong.push("broker.key is no private key without a password".into()),
        _ => wrong.push("broker.key is not the key of broker.crt".into()),
    }
}

/// What it says, if it is content.
fn openssl(words: &[&str], files: &[&Piece]) -> Result<String, String> {
    let mut command = Command::new("openssl");
    command.args(words).args(files.iter().map(|piece| &piece.from));
    match tool::run(command, OPENSSL_MAX) {
        Ok(said) if said.ok => Ok(said.out),
        Ok(said) => Err(tool::cause(&said.err)),
        Err(e) => Err(e.to_string()),
    }
}
