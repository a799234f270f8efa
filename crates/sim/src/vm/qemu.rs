//! One process of qemu: started, cut off, and what it said. A cut of the power is a kill of it: what the guest had written
//! and flushed is on its disk, what it had only in memory is gone.
//!
//! KVM is never used: that `/dev/kvm` exists proves nothing (firmware.md 4.1).

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::clock::{now, rest};
use super::machine::{MachineError, file};

/// The process, and the folder with its logs. Dropped, it is gone.
#[derive(Debug)]
pub struct Qemu {
    program: &'static str,
    work: PathBuf,
    running: Option<Child>,
    /// Two machines with one disk would ruin it.
    _only: File,
}

impl Qemu {
    /// It is off.
    ///
    /// # Errors
    /// The folder cannot be made, or another machine uses it.
    pub fn new(program: &'static str, work: &Path) -> Result<Self, MachineError> {
        fs::create_dir_all(work).map_err(file("can't make", work))?;
        let lock = work.join("lock");
        let only = File::create(&lock).map_err(file("can't make", &lock))?;
        only.try_lock().map_err(|_| MachineError::Taken(work.to_owned()))?;
        Ok(Self { program, work: work.to_owned(), running: None, _only: only })
    }

    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.running.is_some()
    }

    /// Switches it on. The thread that does so must outlive the machine: with it, qemu ends.
    ///
    /// # Errors
    /// It is on already, or qemu does not start.
    pub fn start(&mut self, arguments: &[String]) -> Result<(), MachineError> {
        if self.is_on() {
            return Err(MachineError::Runs);
        }
        let says = self.says();
        let out = File::create(&says).map_err(file("can't make", &says))?;
        // Whoever is killed cannot end his children; the kernel does it for him.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", self.program]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
        let program = self.program;
        let child = command.spawn().map_err(|source| MachineError::Program { program, source })?;
        self.running = Some(child);
        Ok(())
    }

    /// Pulls the plug.
    pub fn cut(&mut self) {
        if let Some(mut child) = self.running.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Waits until the guest has switched itself off.
    ///
    /// # Errors
    /// It was off, it fails, or it is still on after `limit`.
    pub fn wait_off(&mut self, limit: Duration) -> Result<(), MachineError> {
        const TURN: Duration = Duration::from_millis(20);
        let since = now();
        while now().since(since) < limit {
            match self.ended()? {
                Some(status) if status.success() => {
                    self.running = None;
                    return Ok(());
                }
                Some(status) => return Err(self.failed(status)),
                None => rest(TURN),
            }
        }
        Err(MachineError::StillOn(limit))
    }

    /// Says so if qemu has ended by itself.
    ///
    /// # Errors
    /// It has.
    pub fn check(&mut self) -> Result<(), MachineError> {
        self.ended()?.map_or(Ok(()), |status| Err(self.failed(status)))
    }

    /// The emulator's process, for whoever stops it for a while.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    /// The end of what the guest's kernel said, over all its boots.
    #[must_use]
    pub fn serial(&self) -> String {
        tail(&self.serial_log())
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, MachineError> {
        let child = self.running.as_mut().ok_or(MachineError::Off)?;
        let program = self.program;
        child.try_wait().map_err(|source| MachineError::Program { program, source })
    }

    fn failed(&self, status: ExitStatus) -> MachineError {
        MachineError::Ended { status, says: tail(&self.says()) }
    }

    fn says(&self) -> PathBuf {
        self.work.join("qemu.log")
    }

    /// Where that is written.
    #[must_use]
    pub fn serial_log(&self) -> PathBuf {
        self.work.join("serial.log")
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.cut();
    }
}

/// The last of a log; nothing of one that is not there.
fn tail(path: &Path) -> String {
    const LEN: u64 = 4096;
    let read = || -> io::Result<Vec<u8>> {
        let mut log = File::open(path)?;
        let from = log.metadata()?.len().saturating_sub(LEN);
        log.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).trim().to_owned()
}
