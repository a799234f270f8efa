//! What machine this is: hardware and releases, nothing that names its owner.

use std::io::Read as _;

use serde::Serialize;

const FILE_BYTES_MAX: u64 = 1 << 16;

/// The machine; what it does not say of itself is left out.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub architecture: &'static str,
    pub cores: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// As the device tree has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Of Jetson's drivers, as in `R36 (release), REVISION: 4.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l4t: Option<String>,
    pub gstreamer: String,
}

impl Machine {
    pub fn look() -> Self {
        let memory = field("/proc/meminfo", "MemTotal:");
        let kib = memory.and_then(|m| m.split_whitespace().next()?.parse::<u64>().ok());
        let name = field("/proc/cpuinfo", "model name");
        let l4t = text("/etc/nv_tegra_release").and_then(|t| Some(t.lines().next()?.to_owned()));
        let (major, minor, micro, _) = gst::version();
        Self {
            architecture: std::env::consts::ARCH,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: name.map(|n| n.trim_start_matches([':', ' ', '\t']).to_owned()),
            memory_mib: kib.map(|k| k / 1024),
            board: text("/proc/device-tree/model").map(|m| m.trim_end_matches('\0').to_owned()),
            kernel: text("/proc/sys/kernel/osrelease").map(|k| k.trim().to_owned()),
            system: field("/etc/os-release", "PRETTY_NAME=").map(|n| n.trim_matches('"').to_owned()),
            l4t: l4t
                .map(|l| l.split(", GCID").next().unwrap_or_default().trim_start_matches("# ").to_owned()),
            gstreamer: format!("{major}.{minor}.{micro}"),
        }
    }
}

/// What follows `name` in the first line that begins with it.
fn field(path: &str, name: &str) -> Option<String> {
    text(path)?.lines().find_map(|l| Some(l.strip_prefix(name)?.trim().to_owned()))
}

fn text(path: &str) -> Option<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).ok()?;
    // /proc/cpuinfo of many cores is longer than what is asked of it.
    let _ = file.take(FILE_BYTES_MAX).read_to_string(&mut text);
    (!text.is_empty()).then_some(text)
}
