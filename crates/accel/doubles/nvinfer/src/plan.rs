//! A plan: magic, version, hash, shapes, and the model itself. What is changed in it is noticed.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::settings;

const MAGIC: &[u8; 8] = b"vigiadbl";
const HASH: usize = 32;

/// Least, usual and most shape of each input.
pub type Profile = HashMap<String, [Vec<i64>; 3]>;

/// What a builder leaves behind.
#[derive(Debug, Default)]
pub struct Plan {
    pub profiles: Vec<Profile>,
    pub refittable: bool,
    pub portable: bool,
    pub onnx: Vec<u8>,
}

impl Plan {
    pub fn write(&self) -> Vec<u8> {
        let mut rest = Vec::new();
        let mut number = |n: i64| rest.extend(n.to_le_bytes());
        number(self.refittable.into());
        number(self.portable.into());
        number(length(self.profiles.len()));
        for profile in &self.profiles {
            rest.extend(length(profile.len()).to_le_bytes());
            let mut inputs: Vec<_> = profile.iter().collect();
            inputs.sort();
            for (name, shapes) in inputs {
                rest.extend(length(name.len()).to_le_bytes());
                rest.extend(name.as_bytes());
                for shape in shapes {
                    rest.extend(length(shape.len()).to_le_bytes());
                    rest.extend(shape.iter().flat_map(|n| n.to_le_bytes()));
                }
            }
        }
        rest.extend(&self.onnx);
        [&MAGIC[..], &settings::version().1.to_le_bytes(), &Sha256::digest(&rest)[..], &rest].concat()
    }

    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut from = Reader(bytes);
        if from.take(MAGIC.len())? != MAGIC {
            return Err("Serialization assertion magicTag failed: this is no plan".into());
        }
        let (theirs, ours) = (from.take(4)?, settings::version().1);
        if theirs != ours.to_le_bytes() {
            return Err(format!("The engine plan file is not compatible with this version {ours}"));
        }
        let hash = from.take(HASH)?;
        if hash != &Sha256::digest(from.0)[..] {
            return Err("Serialization assertion checksum failed: the plan is damaged".into());
        }
        let (refittable, portable) = (from.number()? != 0, from.number()? != 0);
        let profiles = (0..from.number()?).map(|_| from.profile()).collect::<Result<_, _>>()?;
        Ok(Self { profiles, refittable, portable, onnx: from.0.to_vec() })
    }
}

fn length(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or("Serialization assertion size failed: the plan ends early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<i64, String> {
        let bytes = self.take(8)?.try_into().map_err(|_| "eight bytes")?;
        Ok(i64::from_le_bytes(bytes))
    }

    fn count(&mut self) -> Result<usize, String> {
        usize::try_from(self.number()?).map_err(|e| e.to_string())
    }

    fn profile(&mut self) -> Result<Profile, String> {
        (0..self.count()?).map(|_| self.input()).collect()
    }

    fn input(&mut self) -> Result<(String, [Vec<i64>; 3]), String> {
        let length = self.count()?;
        let name = String::from_utf8_lossy(self.take(length)?).into_owned();
        Ok((name, [self.shape()?, self.shape()?, self.shape()?]))
    }

    fn shape(&mut self) -> Result<Vec<i64>, String> {
        (0..self.count()?).map(|_| self.number()).collect()
    }
}
