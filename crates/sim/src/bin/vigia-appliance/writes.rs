//! What a disk holds when the power goes. A disk has a memory of its own: what was written and not yet flushed may be there
//! or not, each write for itself. qemu writes down every write and flush (its `blklogwrites`, in the format of Linux's
//! dm-log-writes), and the disk is made again from that, up to any moment.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use vigia_sim::vm::machine::{file, run};
use vigia_sim::vm::rig::RigError;

const SECTOR: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;

/// A disk as it was when the machine was switched on, and what was written since.
#[derive(Debug, Clone)]
pub struct Writes {
    folder: PathBuf,
}

struct Entry {
    /// Bytes.
    at: u64,
    len: u64,
    flags: u64,
    /// Where its bytes are in the log.
    data: u64,
}

impl Writes {
    pub const fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn base(&self) -> PathBuf {
        self.folder.join("base.img")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("writes.log")
    }

    /// From now on everything is written down.
    ///
    /// # Errors
    /// The folder cannot be written, or there is no such disk.
    pub fn begin(&self, disk: &Path) -> Result<(), RigError> {
        fs::create_dir_all(&self.folder).map_err(file("can't make", &self.folder))?;
        copy(disk, &self.base())?;
        File::create(self.log()).map_err(file("can't make", &self.log()))?;
        Ok(())
    }

    /// For qemu's `-blockdev`: that disk, and everything that is written to it.
    pub fn blockdev(&self, node: &str, disk: &Path) -> String {
        format!(
            "driver=blklogwrites,node-name={node},log-sector-size={SECTOR},file.driver=file,file.filename={},log.driver=file,log.filename={}",
            disk.display(),
            self.log().display()
        )
    }

    /// How far the log goes, bytes.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn so_far(&self) -> Result<u64, RigError> {
        Ok(fs::metadata(self.log()).map_err(file("can't read", &self.log()))?.len())
    }

    /// The same, out of the way of the next start.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn keep(&self, folder: PathBuf) -> Result<Self, RigError> {
        // Of an earlier update.
        let _ = fs::remove_dir_all(&folder);
        fs::rename(&self.folder, &folder).map_err(file("can't move", &self.folder))?;
        Ok(Self { folder })
    }

    /// Makes the disk as a power cut may have left it when the log went so far: all that was flushed, and of the rest what
    /// `keeps` says, write by write. Returns how many writes are lost.
    ///
    /// # Errors
    /// A file cannot be read or written, or the log is none.
    pub fn leave(&self, upto: u64, disk: &Path, mut keeps: impl FnMut() -> bool) -> Result<u32, RigError> {
        let entries = entries(&self.log(), upto).map_err(file("can't read", &self.log()))?;
        let flushed = entries.iter().rposition(|entry| entry.flags & FLUSH != 0).map_or(0, |last| last + 1);
        copy(&self.base(), disk)?;
        let log = File::open(self.log()).map_err(file("can't read", &self.log()))?;
        let to = OpenOptions::new().write(true).open(disk).map_err(file("can't write", disk))?;
        let mut lost = 0;
        for (number, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.len > 0) {
            if number >= flushed && !keeps() {
                lost += 1;
                continue;
            }
            apply(&log, entry, &to).map_err(file("can't write", disk))?;
        }
        Ok(lost)
    }
}

/// Those that are in it whole, up to so many bytes.
fn entries(log: &Path, upto: u64) -> io::Result<Vec<Entry>> {
    let file = File::open(log)?;
    let strange = || io::Error::new(io::ErrorKind::InvalidData, "this is no log of writes");
    let mut head = [0; 32];
    let mut read = |at: u64| -> io::Result<[u64; 4]> {
        file.read_exact_at(&mut head, at)?;
        let mut words =
            head.chunks_exact(8).map(|b| b.try_into().map(u64::from_le_bytes).unwrap_or_default());
        Ok([(); 4].map(|()| words.next().unwrap_or_default()))
    };
    if upto < SECTOR {
        return Ok(Vec::new());
    }
    if read(0)?[0] != MAGIC {
        return Err(strange());
    }
    let (mut all, mut at) = (Vec::new(), SECTOR);
    while at + SECTOR <= upto {
        let [sector, sectors, flags, _] = read(at)?;
        let (data, len) = (at + SECTOR, sectors.checked_mul(SECTOR).ok_or_else(strange)?);
        // A discard has no bytes.
        let next = if flags & DISCARD == 0 { data.checked_add(len).ok_or_else(strange)? } else { data };
        if next > upto {
            break;
        }
        all.push(Entry { at: sector.checked_mul(SECTOR).ok_or_else(strange)?, len, flags, data });
        at = next;
    }
    Ok(all)
}

fn apply(log: &File, entry: &Entry, disk: &File) -> io::Result<()> {
    const PIECE: usize = 1 << 20;
    if entry.flags & DISCARD != 0 {
        // What was given up may stay as it was.
        return Ok(());
    }
    let mut piece = vec![0; PIECE.min(usize::try_from(entry.len).unwrap_or(PIECE))];
    let mut done = 0;
    while done < entry.len {
        let len = piece.len().min(usize::try_from(entry.len - done).unwrap_or(PIECE));
        log.read_exact_at(&mut piece[..len], entry.data + done)?;
        disk.write_all_at(&piece[..len], entry.at + done)?;
        done += len as u64;
    }
    Ok(())
}

/// With its holes.
///
/// # Errors
/// There is none, or no room.
pub fn copy(from: &Path, to: &Path) -> Result<(), RigError> {
    if !from.is_file() {
        return Err(RigError::Not(format!("{} is missing: run appliance/build", from.display())));
    }
    Ok(run("cp", Command::new("cp").args(["--reflink=auto", "--sparse=always"]).arg(from).arg(to))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a sector.
    const LEN: usize = 512;

    /// A log as qemu writes it: sector, what is written there (nothing: no bytes), flags.
    fn log(entries: &[(u64, &[u8], u64)]) -> Vec<u8> {
        let sector = |words: &[u64]| {
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            bytes.resize(LEN, 0);
            bytes
        };
        let mut all = sector(&[MAGIC, 1, entries.len() as u64, SECTOR]);
        for (at, bytes, flags) in entries {
            all.extend(sector(&[*at, bytes.len() as u64, *flags, 0]));
            all.extend(bytes.iter().flat_map(|byte| [*byte; LEN]));
        }
        all
    }

    /// The first byte of each sector.
    fn sectors(disk: &Path) -> Vec<u8> {
        fs::read(disk).expect("disk").chunks(LEN).map(|sector| sector[0]).collect()
    }

    #[test]
    fn what_was_flushed_is_there_and_the_rest_by_chance() {
        let folder = tempfile::tempdir().expect("folder");
        let disk = folder.path().join("disk.img");
        fs::write(&disk, [b'.'; 4 * LEN]).expect("disk");
        let writes = Writes::at(folder.path().join("writes"));
        writes.begin(&disk).expect("base");
        let all = log(&[(0, b"ab", 0), (0, b"", FLUSH), (1, b"c", 0), (2, b"", DISCARD), (3, b"d", 0)]);
        fs::write(writes.log(), &all).expect("log");
        let whole = all.len() as u64;
        for (upto, keeps, want, lost) in [
            (whole, true, b"ac.d", 0),
            (whole, false, b"ab..", 2),
            // The last write is not in it whole, then nothing of it, then no flush.
            (whole - 1, true, b"ac..", 0),
            (4 * SECTOR, false, b"....", 1),
            (4 * SECTOR, true, b"ab..", 0),
            (0, true, b"....", 0),
        ] {
            assert_eq!(writes.leave(upto, &disk, || keeps).expect("disk"), lost, "{upto} {keeps}");
            assert_eq!(sectors(&disk), want, "{upto} {keeps}");
        }
    }
}
