//! All that a plan depends on. Two plans with the same facts are the same product.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::recipe::Recipe;

/// The GPU that a plan runs on, as its driver tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub name: String,
    /// Compute capability, 87 for 8.7.
    pub capability: u32,
    /// None if it is built for devices of this capability in general, without one at hand.
    pub multiprocessors: Option<u32>,
}

impl Device {
    /// Any GPU of a compute capability.
    #[must_use]
    pub fn of(capability: u32) -> Self {
        let name = format!("any of compute capability {}.{}", capability / 10, capability % 10);
        Self { name, capability, multiprocessors: None }
    }

    /// Any GPU like this one.
    #[must_use]
    pub fn kind(&self) -> Self {
        Self::of(self.capability)
    }
}

/// What goes into a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub model_id: String,
    /// Of the ONNX file, in hex.
    pub model_sha256: String,
    /// With its flavour: plans run with the very release that made them.
    pub tensorrt: String,
    pub parser: i32,
    pub device: Device,
    pub recipe: Recipe,
}

impl Facts {
    /// Names the product: SHA-256 over the facts, in hex.
    #[must_use]
    pub fn key(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
    }

    /// Why a plan with the facts `other` doesn't do: one sentence; none if it does.
    #[must_use]
    pub fn unlike(&self, other: &Self) -> Option<String> {
        let says = |what: &str, there: &dyn fmt::Display, here: &dyn fmt::Display| {
            format!("it was built for {what} {there}, and here is {here}")
        };
        let (a, b) = (other, self);
        if a.model_id != b.model_id || a.model_sha256 != b.model_sha256 {
            return Some("it was built from another file of the model".to_owned());
        }
        if a.tensorrt != b.tensorrt {
            return Some(says("TensorRT", &a.tensorrt, &b.tensorrt));
        }
        if a.parser != b.parser {
            return Some(says("the ONNX parser", &a.parser, &b.parser));
        }
        if a.device.name != b.device.name {
            return Some(says("the device", &a.device.name, &b.device.name));
        }
        if a.device.capability != b.device.capability {
            return Some(says("compute capability", &a.device.capability, &b.device.capability));
        }
        if a.device.multiprocessors != b.device.multiprocessors {
            let count = |d: &Device| d.multiprocessors.map_or("any number".to_owned(), |n| n.to_string());
            return Some(says("multiprocessors:", &count(&a.device), &count(&b.device)));
        }
        (a.recipe != b.recipe).then(|| {
            let short = |r: &Recipe| serde_json::to_string(r).unwrap_or_default();
            says("the recipe", &short(&a.recipe), &short(&b.recipe))
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::recipe::Precision;
    use super::*;

    pub fn facts() -> Facts {
        Facts {
            model_id: "lookout-n".into(),
            model_sha256: "ab".repeat(32),
            tensorrt: "10.3.0".into(),
            parser: 1003,
            device: Device { name: "Orin".into(), capability: 87, multiprocessors: Some(8) },
            recipe: Recipe::default(),
        }
    }

    type Change = fn(&mut Facts);

    #[test]
    fn each_fact_changes_the_key_and_has_its_sentence() {
        let ours = facts();
        assert_eq!(ours.unlike(&ours), None);
        let rows: [(Change, &str); 9] = [
            (|f| f.model_id.push('2'), "another file of the model"),
            (|f| f.model_sha256 = "cd".repeat(32), "another file of the model"),
            (|f| f.tensorrt = "10.16.2".into(), "TensorRT 10.16.2, and here is 10.3.0"),
            (|f| f.parser = 7, "the ONNX parser 7, and here is 1003"),
            (|f| f.device.name = "Thor".into(), "the device Thor, and here is Orin"),
            (|f| f.device.capability = 110, "compute capability 110, and here is 87"),
            (|f| f.device.multiprocessors = None, "multiprocessors: any number, and here is 8"),
            (|f| f.recipe.batch = 8, "the recipe {\"precision\":\"fp16\",\"batch\":8"),
            (|f| f.recipe.precision = Precision::Int8, "\"int8\""),
        ];
        let mut keys = vec![ours.key()];
        for (change, expected) in rows {
            let mut theirs = facts();
            change(&mut theirs);
            let said = ours.unlike(&theirs).expect(expected);
            assert!(said.contains(expected), "{said}");
            keys.push(theirs.key());
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), rows.len() + 1);
        assert!(keys.iter().all(|k| k.len() == 64));
    }
}
