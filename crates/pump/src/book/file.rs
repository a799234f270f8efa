//! The book's file: a head and [`EVENTS_LEN`] entries, each a whole frame in its own quarter
//! kilobyte, so that none lies across two pages of memory and a kill tears none.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::io::{Errno, pread, pwrite};
use vigia_core::link::{BootId, FRAME_BYTES, Frame, FromPump, Numbered};

use super::EVENTS_LEN;

const ENTRY_BYTES: u64 = 256;
const HEAD_BYTES: usize = 4 + 16 + 8 + 4 + 4;
const MAGIC: [u8; 4] = *b"vgb1";

/// What the book is, and how far it has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub id: BootId,
    pub acknowledged: u64,
    pub lost: u32,
}

#[derive(Debug)]
pub struct Pages {
    file: File,
}

impl Pages {
    /// Opens the file below `dir`; one that is not whole is begun anew as `new_id`.
    pub fn open(dir: &Path, new_id: BootId) -> Result<(Self, Head), Errno> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join("events"))
            .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
        let pages = Self { file };
        if let Some(head) = pages.head() {
            return Ok((pages, head));
        }
        let head = Head { id: new_id, acknowledged: 0, lost: 0 };
        // All of its memory now, so that none is missing later.
        for page in 0..=EVENTS_LEN {
            let at = u64::try_from(page).unwrap_or(0) * ENTRY_BYTES;
            pwrite(&pages.file, &[0; 256], at)?;
        }
        pages.write_head(&head)?;
        Ok((pages, head))
    }

    fn head(&self) -> Option<Head> {
        let mut bytes = [0; HEAD_BYTES];
        if pread(&self.file, &mut bytes, 0) != Ok(HEAD_BYTES) {
            return None;
        }
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        let (magic, rest) = body.split_first_chunk::<4>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (acknowledged, rest) = rest.split_first_chunk::<8>()?;
        let (lost, _) = rest.split_first_chunk::<4>()?;
        let is_good = *magic == MAGIC && *crc == crc32fast::hash(body).to_le_bytes();
        is_good.then(|| Head {
            id: BootId(*id),
            acknowledged: u64::from_le_bytes(*acknowledged),
            lost: u32::from_le_bytes(*lost),
        })
    }

    pub fn write_head(&self, head: &Head) -> Result<(), Errno> {
        let mut bytes = [0; HEAD_BYTES];
        let parts: [&[u8]; 4] =
            [&MAGIC, &head.id.0, &head.acknowledged.to_le_bytes(), &head.lost.to_le_bytes()];
        let (body, crc) = bytes.split_at_mut(HEAD_BYTES - 4);
        body.iter_mut().zip(parts.into_iter().flatten()).for_each(|(to, from)| *to = *from);
        crc.copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        pwrite(&self.file, &bytes, 0).and_then(|n| if n == bytes.len() { Ok(()) } else { Err(Errno::NOSPC) })
    }

    /// The entry of this book at this place, if it is whole.
    pub fn event(&self, page: u16, id: BootId) -> Option<Numbered> {
        let mut bytes = [0; FRAME_BYTES];
        if pread(&self.file, &mut bytes, place(page)) != Ok(FRAME_BYTES) {
            return None;
        }
        match Frame::<FromPump>::decode(&bytes) {
            Ok(Frame { boot, body: FromPump::Event(event), .. }) if boot == id => Some(event),
            Ok(_) | Err(_) => None,
        }
    }

    pub fn write(&self, page: u16, id: BootId, event: Numbered) -> Result<(), Errno> {
        let frame = Frame { boot: id, seq: event.number, body: FromPump::Event(event) };
        let n = pwrite(&self.file, &frame.encode(), place(page))?;
        if n == FRAME_BYTES { Ok(()) } else { Err(Errno::NOSPC) }
    }
}

fn place(page: u16) -> u64 {
    (u64::from(page) + 1) * ENTRY_BYTES
}
