//! What a box brings in parts, put together: whole, and what it says it is, or not at all.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::Failure;
use crate::support::request::BUNDLE_BYTES_MAX;

const PARTS_LEN_MAX: u32 = 1_024;

pub struct Parts {
    out: PathBuf,
    sha256: String,
    of: Option<u32>,
    bytes: u64,
    had: BTreeMap<u32, Vec<u8>>,
}

#[derive(Deserialize)]
struct Part {
    request_id: Option<String>,
    sha256: String,
    part: u32,
    parts: u32,
    data: String,
}

impl Parts {
    /// For `support_bundle`, which needs a place and one box; nothing else brings any.
    pub fn wanted(command: &str, out: Option<&Path>, instances: &[String]) -> Result<Option<Self>, Failure> {
        let is_bundle = command.eq_ignore_ascii_case("support_bundle");
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        let out = match out {
            None if is_bundle => return usage("support_bundle needs --out FILE.tar.gz, where to write it"),
            None => return Ok(None),
            Some(_) if !is_bundle => return usage("--out is for support_bundle, nothing else brings a file"),
            Some(_) if instances.len() != 1 => {
                return usage("support_bundle is asked of one box: --instance ID, once");
            }
            Some(out) if out.exists() => {
                return Err(Failure::Usage(format!("{} is there already", out.display())));
            }
            Some(out) => out.to_owned(),
        };
        Ok(Some(Self { out, sha256: String::new(), of: None, bytes: 0, had: BTreeMap::new() }))
    }

    /// Another request's are let pass.
    pub fn take(&mut self, payload: &[u8], request_id: &str) -> Result<(), Failure> {
        let Ok(part) = serde_json::from_slice::<Part>(payload) else { return Ok(()) };
        if part.request_id.as_deref() != Some(request_id) {
            return Ok(());
        }
        let fits = self.of.is_none_or(|of| of == part.parts) && (1..=part.parts).contains(&part.part);
        let data = BASE64.decode(part.data.as_bytes()).ok().filter(|_| fits && part.parts <= PARTS_LEN_MAX);
        let Some(data) = data else {
            return Err(Failure::Failed(format!("part {} of {} is none", part.part, part.parts)));
        };
        (self.of, self.sha256) = (Some(part.parts), part.sha256);
        // The broker may bring one twice.
        if !self.had.contains_key(&part.part) {
            self.bytes += data.len() as u64;
            if self.bytes > BUNDLE_BYTES_MAX {
                let text = format!("it is larger than {} MiB, which no bundle is", BUNDLE_BYTES_MAX >> 20);
                return Err(Failure::Failed(text));
            }
            self.had.insert(part.part, data);
        }
        Ok(())
    }

    pub fn are_all(&self) -> bool {
        self.of.is_some_and(|of| self.had.len() == of as usize)
    }

    /// Its name, for people.
    pub fn keep(self) -> Result<String, Failure> {
        let mut hash = Sha256::new();
        self.had.values().for_each(|data| hash.update(data));
        if !self.are_all() || HEXLOWER.encode(&hash.finalize()) != self.sha256 {
            return Err(Failure::Failed("what came is not what was sent: ask again".into()));
        }
        let wrong = |e: std::io::Error| Failure::Failed(format!("{}: {e}", self.out.display()));
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.out);
        let mut file = file.map_err(wrong)?;
        self.had.values().try_for_each(|data| file.write_all(data)).map_err(wrong)?;
        file.sync_all().map_err(wrong)?;
        Ok(self.out.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u32, of: u32, data: &[u8], sha256: &str) -> Vec<u8> {
        let text = format!(
            r#"{{"request_id":"r","sha256":"{sha256}","part":{number},"parts":{of},"data":"{}"}}"#,
            BASE64.encode(data)
        );
        text.into_bytes()
    }

    #[test]
    fn parts_in_any_order_and_twice_make_the_file_or_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let out = dir.path().join("b.tar.gz");
        let open =
            || Parts::wanted("support_bundle", Some(&out), &["hut".into()]).expect("good").expect("one");
        let sum = HEXLOWER.encode(&Sha256::digest(b"onetwo"));
        let mut parts = open();
        for (payload, all) in [
            (part(2, 2, b"two", &sum), false),
            (part(2, 2, b"two", &sum), false),
            (b"{".to_vec(), false),
            (part(1, 2, b"one", &sum), true),
        ] {
            parts.take(&payload, "r").expect("good");
            assert_eq!(parts.are_all(), all);
        }
        let mut other = open();
        other.take(&part(1, 1, b"onetwo", &sum), "another").expect("let pass");
        assert!(!other.are_all());
        for bad in [part(3, 2, b"x", &sum), part(0, 2, b"x", &sum), part(1, 5_000, b"x", &sum)] {
            assert!(open().take(&bad, "r").is_err());
        }
        let mut torn = open();
        torn.take(&part(1, 1, b"other", &sum), "r").expect("looks good");
        assert!(torn.keep().is_err() && !out.exists());
        parts.keep().expect("whole");
        assert_eq!(std::fs::read(&out).expect("there"), b"onetwo");
        for (command, out, boxes) in
            [("support_bundle", None, 1), ("support_bundle", Some(&*out), 1), ("ping", Some(&*out), 1)]
        {
            assert!(Parts::wanted(command, out, &vec!["a".to_owned(); boxes]).is_err(), "{command}");
        }
        let free = dir.path().join("c");
        assert!(Parts::wanted("support_bundle", Some(&free), &[]).is_err());
    }
}
