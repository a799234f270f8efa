//! Two slots in turn: `ledger.0`, `ledger.1`.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::io::{Errno, pwrite};
use vigia_core::pump::LEDGER_BYTES;

const NAMES: [&str; 2] = ["ledger.0", "ledger.1"];
const MAGIC: [u8; 4] = *b"vgs1";
const SLOT_BYTES: usize = 4 + 8 + LEDGER_BYTES + 4;

type Record = [u8; LEDGER_BYTES];

/// Both, open for writing.
#[derive(Debug)]
pub struct Slots([File; 2]);

impl Slots {
    pub fn open(dir: &Path) -> std::io::Result<Self> {
        let open = |name| {
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(dir.join(name))
        };
        let [even, odd] = NAMES;
        Ok(Self([open(even)?, open(odd)?]))
    }

    /// Returns which file was written.
    pub fn write(&self, generation: u64, record: &Record) -> Result<&File, Errno> {
        let [even, odd] = &self.0;
        let file = if generation.is_multiple_of(2) { even } else { odd };
        let bytes = encode(generation, record);
        let n = pwrite(file, &bytes, 0)?;
        if n == bytes.len() { Ok(file) } else { Err(Errno::NOSPC) }
    }
}

/// Whether there has ever been a record here.
pub fn exist(dir: &Path) -> bool {
    NAMES.iter().any(|name| dir.join(name).metadata().is_ok_and(|m| m.len() > 0))
}

/// The newest whole record of these places.
pub fn newest<'a>(dirs: impl IntoIterator<Item = &'a Path>) -> Option<(u64, Record)> {
    let all = dirs.into_iter().flat_map(|dir| NAMES.iter().map(move |name| dir.join(name)));
    all.filter_map(|path| decode(&std::fs::read(path).ok()?)).max_by_key(|(generation, _)| *generation)
}

fn encode(generation: u64, record: &Record) -> [u8; SLOT_BYTES] {
    let mut bytes = [0; SLOT_BYTES];
    let (body, crc) = bytes.split_at_mut(SLOT_BYTES - 4);
    let parts: [&[u8]; 3] = [&MAGIC, &generation.to_le_bytes(), record];
    body.iter_mut().zip(parts.into_iter().flatten()).for_each(|(to, from)| *to = *from);
    crc.copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(u64, Record)> {
    let bytes: &[u8; SLOT_BYTES] = bytes.try_into().ok()?;
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    let (magic, rest) = body.split_first_chunk::<4>()?;
    let (generation, record) = rest.split_first_chunk::<8>()?;
    let is_good = *magic == MAGIC && *crc == crc32fast::hash(body).to_le_bytes();
    if is_good { Some((u64::from_le_bytes(*generation), record.try_into().ok()?)) } else { None }
}
