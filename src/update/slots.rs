//! The two slots, as RAUC sees them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Places, UpdateError, tool};

const STATUS_MAX: Duration = Duration::from_secs(20);

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slot {
    /// `A` or `B`.
    pub name: String,
    pub is_booted: bool,
    /// The boot loader may start it.
    pub is_good: bool,
    /// Of the bundle that it was written from; `None` for one from the factory.
    pub version: Option<String>,
}

#[derive(Deserialize)]
struct RaucStatus {
    booted: String,
    boot_primary: Option<String>,
    slots: Vec<BTreeMap<String, RaucSlot>>,
}

#[derive(Deserialize)]
struct RaucSlot {
    bootname: Option<String>,
    boot_status: Option<String>,
    slot_status: Option<RaucSlotStatus>,
}

#[derive(Deserialize)]
struct RaucSlotStatus {
    bundle: Option<RaucBundle>,
}

#[derive(Deserialize)]
struct RaucBundle {
    version: Option<String>,
}

/// Both, and which one the next start takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slots {
    /// By name.
    pub all: Vec<Slot>,
    /// `None`: RAUC does not know.
    pub next: Option<String>,
}

impl Slots {
    /// # Errors
    /// RAUC does not answer.
    pub fn read(places: &Places) -> Result<Self, UpdateError> {
        let mut command = tool::rauc(places);
        command.args(["status", "--detailed", "--output-format=json"]);
        let said = tool::run(command, STATUS_MAX)?;
        if !said.ok {
            let said = tool::cause(&said.err);
            return Err(tool::ToolError::Failed { program: "rauc".into(), said }.into());
        }
        Self::parse(&said.out)
            .ok_or_else(|| UpdateError::Refused("what rauc says of its slots can't be read".into()))
    }

    fn parse(out: &str) -> Option<Self> {
        let status: RaucStatus = serde_json::from_str(out.lines().find(|l| l.starts_with('{'))?).ok()?;
        let RaucStatus { booted, boot_primary, slots } = status;
        let mut next = None;
        let mut all = Vec::new();
        for (name, slot) in slots.into_iter().flatten() {
            let Some(bootname) = slot.bootname else { continue };
            if boot_primary.as_ref() == Some(&name) {
                next = Some(bootname.clone());
            }
            all.push(Slot {
                is_booted: bootname == booted,
                is_good: slot.boot_status.as_deref() == Some("good"),
                version: slot.slot_status.and_then(|s| s.bundle).and_then(|b| b.version),
                name: bootname,
            });
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Some(Self { all, next })
    }

    #[must_use]
    pub fn booted(&self) -> Option<&Slot> {
        self.all.iter().find(|slot| slot.is_booted)
    }

    /// The one that does not run.
    #[must_use]
    pub fn other(&self) -> Option<&Slot> {
        self.all.iter().find(|slot| !slot.is_booted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RAUC 1.8 wrote it after an installation.
    #[test]
    fn what_rauc_says_is_read() {
        let said = r#"{"compatible":"vigia-test","variant":"","booted":"A","boot_primary":"rootfs.1","slots":[{"rootfs.1":{"class":"rootfs","device":"/tmp/b","type":"raw","bootname":"B","state":"inactive","parent":null,"mountpoint":null,"boot_status":"good","slot_status":{"bundle":{"compatible":"vigia-test","version":"0.2.0"},"checksum":{"sha256":"e6be","size":16384},"status":"ok"}}},{"rootfs.0":{"class":"rootfs","device":"/tmp/a","type":"raw","bootname":"A","state":"booted","parent":null,"mountpoint":null,"boot_status":"bad","slot_status":{"bundle":{"compatible":null}}}}]}"#;
        let slots = Slots::parse(said).expect("read");
        assert_eq!(slots.next.as_deref(), Some("B"));
        let booted = slots.booted().expect("one runs");
        assert_eq!((booted.name.as_str(), booted.is_good, &booted.version), ("A", false, &None));
        let other = slots.other().expect("one does not");
        assert_eq!(
            (other.name.as_str(), other.is_good, other.version.as_deref()),
            ("B", true, Some("0.2.0"))
        );
        assert_eq!(Slots::parse("rauc: no"), None);
    }
}
