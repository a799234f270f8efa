//! The machine itself: qemu in plain emulation, with a disk that outlives its power.
//!
//! KVM is never used: that `/dev/kvm` exists proves nothing (firmware.md 4.1). A cut of the power is a kill
//! of qemu: what the guest had written and flushed is on its disk, what it had only in memory is gone.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use thiserror::Error;

use super::clock::{now, rest};

const QEMU: &str = "qemu-system-x86_64";
/// What `tests/vm/build.sh` makes.
const KERNEL: &str = "vmlinux";
const INITRD: &str = "initrd";
const ROOT: &str = "root.squashfs";
const DATA: &str = "data.ext4";
/// As the agent knows it.
const PORT: &str = "vigia.lines";

/// Nothing of what is left out is tested, and each of it costs time under emulation.
const COMMAND_LINE: &str = "console=ttyS0 quiet loglevel=4 panic=0 mitigations=off apparmor=0 selinux=0 audit=0 \
     random.trust_cpu=on cryptomgr.notests raid=noautodetect tsc=reliable preempt=full";

/// Translated code in MiB. When that is full all of it is thrown away while the guest stands still: for a third of a
/// second with the 1024 that qemu takes by itself.
const EMULATOR: &str = "tcg,tb-size=128";

/// What a machine is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The folder that `tests/vm/build.sh` fills.
    pub floor: PathBuf,
    /// A folder of this machine's own: its disk and its logs.
    pub work: PathBuf,
    /// The image with the product, from [`pack`](super::product::pack).
    pub product: PathBuf,
    /// Where [`Lines`](super::lines::Lines) listens.
    pub socket: PathBuf,
    pub cpus: u32,
    pub memory_mib: u32,
}

impl Setup {
    pub const MEMORY_MIB: u32 = 512;
}

/// One machine. Dropped, it is gone.
#[derive(Debug)]
pub struct Machine {
    setup: Setup,
    running: Option<Child>,
    /// Two machines with one disk would ruin it.
    _only: File,
}

/// Why there is no machine.
#[derive(Debug, Error)]
pub enum MachineError {
    #[error("{} is missing: run tests/vm/build.sh", .0.display())]
    NoFloor(PathBuf),
    #[error("{program} can't be started: {source}; tests/vm/build.sh installs it")]
    Program { program: &'static str, source: io::Error },
    #[error("{program} failed: {says}")]
    Failed { program: &'static str, says: String },
    #[error("{what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("another machine uses {}: wait for it, or name another folder", .0.display())]
    Taken(PathBuf),
    #[error("the machine runs already: cut its power first")]
    Runs,
    #[error("the machine does not run: start it first")]
    Off,
    #[error("qemu ended with {status}: {says}")]
    Ended { status: ExitStatus, says: String },
    #[error("the machine still ran after {} s", .0.as_secs())]
    StillOn(Duration),
}

impl Machine {
    /// A machine with a disk as new. It is off.
    ///
    /// # Errors
    /// The floor is not built, or the disk cannot be copied.
    pub fn new(setup: Setup) -> Result<Self, MachineError> {
        for name in [KERNEL, INITRD, ROOT, DATA] {
            let path = setup.floor.join(name);
            if !path.is_file() {
                return Err(MachineError::NoFloor(path));
            }
        }
        fs::create_dir_all(&setup.work).map_err(file("can't make", &setup.work))?;
        let lock = setup.work.join("lock");
        let only = File::create(&lock).map_err(file("can't make", &lock))?;
        only.try_lock().map_err(|_| MachineError::Taken(setup.work.clone()))?;
        let machine = Self { setup, running: None, _only: only };
        machine.renew_disk()?;
        Ok(machine)
    }

    /// A disk as new, in place of the present one.
    ///
    /// # Errors
    /// It cannot be copied; a machine that runs keeps its disk.
    pub fn renew_disk(&self) -> Result<(), MachineError> {
        if self.running.is_some() {
            return Err(MachineError::Runs);
        }
        let (from, to) = (self.setup.floor.join(DATA), self.disk());
        let mut copy = Command::new("cp");
        copy.args(["--reflink=auto", "--sparse=always"]).arg(from).arg(to);
        run("cp", &mut copy)
    }

    /// The disk, for whoever damages it while the machine is off.
    #[must_use]
    pub fn disk(&self) -> PathBuf {
        self.setup.work.join(DATA)
    }

    /// Switches it on. The thread that does so must outlive the machine: with it, qemu ends.
    ///
    /// # Errors
    /// It is on already, or qemu does not start.
    pub fn start(&mut self) -> Result<(), MachineError> {
        if self.running.is_some() {
            return Err(MachineError::Runs);
        }
        let says = self.says();
        let out = File::create(&says).map_err(file("can't make", &says))?;
        // Whoever is killed cannot end his children; the kernel does it for him.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", QEMU]).args(self.arguments());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
        let child = command.spawn().map_err(|source| MachineError::Program { program: QEMU, source })?;
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
        child.try_wait().map_err(|source| MachineError::Program { program: QEMU, source })
    }

    fn failed(&self, status: ExitStatus) -> MachineError {
        MachineError::Ended { status, says: tail(&self.says()) }
    }

    fn says(&self) -> PathBuf {
        self.setup.work.join("qemu.log")
    }

    fn serial_log(&self) -> PathBuf {
        self.setup.work.join("serial.log")
    }

    fn arguments(&self) -> Vec<String> {
        let Setup { floor, product, socket, cpus, memory_mib, .. } = &self.setup;
        let floor = |name: &str| floor.join(name).display().to_string();
        let disk = |path: String, more: &str| format!("file={path},format=raw,if=virtio{more}");
        let (cpus, memory) = (cpus.to_string(), memory_mib.to_string());
        let serial = format!("file,id=serial,path={},append=on", self.serial_log().display());
        let port = format!("socket,id=port,path={}", socket.display());
        let server = format!("virtserialport,chardev=port,name={PORT}");
        let (kernel, initrd) = (floor(KERNEL), floor(INITRD));
        // In the order in which the guest's first program knows them.
        let root = disk(floor(ROOT), ",readonly=on");
        let data = disk(self.disk().display().to_string(), "");
        let product = disk(product.display().to_string(), ",readonly=on");
        let pairs = [
            ("-machine", "q35"),
            ("-accel", EMULATOR),
            ("-cpu", "max"),
            ("-smp", &cpus),
            ("-m", &memory),
            ("-display", "none"),
            ("-kernel", &kernel),
            ("-initrd", &initrd),
            ("-append", COMMAND_LINE),
            ("-drive", &root),
            ("-drive", &data),
            ("-drive", &product),
            ("-device", "i6300esb"),
            ("-action", "watchdog=reset"),
            ("-device", "virtio-serial"),
            ("-chardev", &port),
            ("-device", &server),
            ("-chardev", &serial),
            ("-serial", "chardev:serial"),
        ];
        let pairs = pairs.into_iter().flat_map(|(option, value)| [option.to_owned(), value.to_owned()]);
        std::iter::once("-nodefaults".to_owned()).chain(pairs).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Runs a small program to its end.
pub(super) fn run(program: &'static str, command: &mut Command) -> Result<(), MachineError> {
    let out = command.stdin(Stdio::null()).output();
    let out = out.map_err(|source| MachineError::Program { program, source })?;
    if out.status.success() {
        return Ok(());
    }
    let says = String::from_utf8_lossy(&out.stderr).trim().to_owned();
    Err(MachineError::Failed { program, says })
}

pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MachineError {
    let path = path.to_owned();
    move |source| MachineError::File { what, path, source }
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
