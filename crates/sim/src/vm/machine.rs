//! The machine itself: qemu in plain emulation, with a disk that outlives its power.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use thiserror::Error;

use super::qemu::Qemu;

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
     random.trust_cpu=on cryptomgr.notests raid=noautodetect tsc=reliable preempt=full no_timer_check";

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
    qemu: Qemu,
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
        let machine = Self { qemu: Qemu::new(QEMU, &setup.work)?, setup };
        machine.renew_disk()?;
        Ok(machine)
    }

    /// A disk as new, in place of the present one.
    ///
    /// # Errors
    /// It cannot be copied; a machine that runs keeps its disk.
    pub fn renew_disk(&self) -> Result<(), MachineError> {
        if self.qemu.is_on() {
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

    /// Switches it on; as [`Qemu::start`].
    ///
    /// # Errors
    /// It is on already, or qemu does not start.
    pub fn start(&mut self) -> Result<(), MachineError> {
        let arguments = self.arguments();
        self.qemu.start(&arguments)
    }

    /// Pulls the plug.
    pub fn cut(&mut self) {
        self.qemu.cut();
    }

    /// As [`Qemu::wait_off`].
    ///
    /// # Errors
    /// It was off, it fails, or it is still on after `limit`.
    pub fn wait_off(&mut self, limit: Duration) -> Result<(), MachineError> {
        self.qemu.wait_off(limit)
    }

    /// As [`Qemu::check`].
    ///
    /// # Errors
    /// qemu has ended by itself.
    pub fn check(&mut self) -> Result<(), MachineError> {
        self.qemu.check()
    }

    /// As [`Qemu::pid`].
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.qemu.pid()
    }

    /// As [`Qemu::serial`].
    #[must_use]
    pub fn serial(&self) -> String {
        self.qemu.serial()
    }

    fn arguments(&self) -> Vec<String> {
        let Setup { floor, product, socket, cpus, memory_mib, .. } = &self.setup;
        let floor = |name: &str| floor.join(name).display().to_string();
        let disk = |path: String, more: &str| format!("file={path},format=raw,if=virtio{more}");
        let (cpus, memory) = (cpus.to_string(), memory_mib.to_string());
        let serial = format!("file,id=serial,path={},append=on", self.qemu.serial_log().display());
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

/// Runs a small program to its end.
///
/// # Errors
/// It cannot be started, or it fails.
pub fn run(program: &'static str, command: &mut Command) -> Result<(), MachineError> {
    let out = command.stdin(Stdio::null()).output();
    let out = out.map_err(|source| MachineError::Program { program, source })?;
    if out.status.success() {
        return Ok(());
    }
    let says = String::from_utf8_lossy(&out.stderr).trim().to_owned();
    Err(MachineError::Failed { program, says })
}

/// How an error of a file becomes one of a machine.
pub fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MachineError {
    let path = path.to_owned();
    move |source| MachineError::File { what, path, source }
}
