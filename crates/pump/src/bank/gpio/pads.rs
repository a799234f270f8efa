//! How the pin controller has configured a pad, where the kernel shows it.
//!
//! A line can be set while its pad is muxed elsewhere or does not drive: the write succeeds and
//! the pin stays as it is (reliability 2.2). Tegra's pin controller shows its registers in
//! `/sys/kernel/debug/pinctrl/*/pinconf-groups`:
//! ```text
//! 5 (soc_gpio32_pq5):
//!     pull=1
//!     tristate=0
//! ```

use std::path::{Path, PathBuf};

use thiserror::Error;
use vigia_core::board::RawPad;

const FOLDER: &str = "/sys/kernel/debug/pinctrl";

/// Why a pad is not known to be good.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PadError {
    #[error(
        "{file} can't be read ({cause}), so nobody knows whether the pads drive: mount debugfs, or leave lines.pads out"
    )]
    Unreadable { file: PathBuf, cause: String },
    #[error("{at}: {file} shows no group {group}")]
    NoGroup { at: String, group: String, file: PathBuf },
    #[error(
        "{at}: pad {group} has tristate={found}, and must have {wanted}: set the pinmux of this board (hardware/wiring.md)"
    )]
    Tristate { at: String, group: String, found: u32, wanted: u32 },
}

/// All pads that the board's file asks for, with the place where it does.
///
/// # Errors
/// Each pad that is not as it must be.
pub fn check(controller: &str, pads: &[(String, RawPad)]) -> Vec<PadError> {
    let file = Path::new(FOLDER).join(controller).join("pinconf-groups");
    match std::fs::read_to_string(&file) {
        Ok(text) => pads.iter().filter_map(|(at, pad)| judge(&file, &text, at, pad).err()).collect(),
        Err(e) => vec![PadError::Unreadable { file, cause: e.to_string() }],
    }
}

fn judge(file: &Path, text: &str, at: &str, pad: &RawPad) -> Result<(), PadError> {
    let (at, group) = (at.to_owned(), pad.group.clone());
    match tristate(text, &group) {
        Some(found) if found == pad.tristate => Ok(()),
        Some(found) => Err(PadError::Tristate { at, group, found, wanted: pad.tristate }),
        None => Err(PadError::NoGroup { at, group, file: file.to_owned() }),
    }
}

/// Of the group with this name.
fn tristate(text: &str, group: &str) -> Option<u32> {
    let head = format!("({group}):");
    let of_group = text.lines().skip_while(|line| !line.ends_with(&head)).skip(1);
    let mut entries = of_group.take_while(|line| line.starts_with(char::is_whitespace));
    entries.find_map(|line| line.trim().strip_prefix("tristate=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "registered pin groups:\n0 (soc_gpio32_pq5):\n\tpull=1\n\ttristate=0\n\
                         1 (soc_gpio33_pq6):\n\tpull=0\n\ttristate=1\n2 (soc_gpio34):\n\tpull=0\n3 (x):\n\ttristate=1\n";

    #[test]
    fn a_pad_that_does_not_drive_is_found() {
        let judged = |group: &str| {
            let pad = RawPad { group: group.to_owned(), tristate: 0 };
            judge(Path::new("f"), SHOWN, "lines.outputs.run", &pad).map_err(|e| e.to_string())
        };
        assert_eq!(judged("soc_gpio32_pq5"), Ok(()));
        let said = judged("soc_gpio33_pq6").expect_err("it floats");
        assert!(
            said.starts_with("lines.outputs.run: pad soc_gpio33_pq6 has tristate=1, and must have 0"),
            "{said}"
        );
        assert!(judged("soc_gpio34").expect_err("not shown").contains("shows no group soc_gpio34"));
        assert!(judged("gpio32_pq5").expect_err("another").contains("shows no group"));
        let unread = check("no-such-controller", &[]);
        assert!(unread[0].to_string().contains("pinctrl/no-such-controller/pinconf-groups can't be read"));
    }
}
