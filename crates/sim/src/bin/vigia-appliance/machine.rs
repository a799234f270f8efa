//! The virtual appliance switched on: qemu with UEFI and the disk that `appliance/build` made, the simulated board with a
//! plant on it, a network of its own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use vigia_core::pump::plan::parse;
use vigia_core::pump::{Plan, RawPlan};
use vigia_sim::plant::{Plant, PlantConfig};
use vigia_sim::vm::board;
use vigia_sim::vm::clock::{now, rest};
use vigia_sim::vm::lines::Lines;
use vigia_sim::vm::machine::{file, run};
use vigia_sim::vm::qemu::Qemu;
use vigia_sim::vm::rig::RigError;
use vigia_sim::vm::wire::End;
use vigia_sim::vm::wiring::{Wiring, layout};
use vigia_sim::vm::world::{Turning, World};

use crate::writes::{Writes, copy};

const BOARD: &str = "hardware/virtual.yaml";
pub const SITE: &str = "appliance/virtual/site.yaml";
const STICK: &str = "stick.img";
const UNITS: &str = "appliance/virtual/units";
/// What outlives the power: the disk, and UEFI's variables.
pub(super) const KEPT: [&str; 2] = ["disk.img", "vars.fd"];
/// Under emulation on a machine that others use.
const BOOT_MAX: Duration = Duration::from_secs(900);
const COMMAND_MAX: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Which machine it is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Arch {
    #[value(name = "x86_64")]
    X86,
    #[value(name = "arm64")]
    Arm,
}

impl Arch {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }

    const fn qemu(self) -> &'static str {
        match self {
            Self::X86 => "qemu-system-x86_64",
            Self::Arm => "qemu-system-aarch64",
        }
    }

    const fn machine(self) -> [&'static str; 4] {
        match self {
            Self::X86 => ["-machine", "q35,accel=tcg", "-cpu", "max"],
            // Of Debian's models the nearest to the cores of an Orin.
            Self::Arm => ["-machine", "virt,accel=tcg", "-cpu", "cortex-a76"],
        }
    }
}

/// Where things are. The project's own folder is the present one.
#[derive(Debug, Clone)]
pub struct Sources {
    pub arch: Arch,
    /// What `appliance/build` makes.
    pub built: PathBuf,
    /// This machine's disk and logs.
    pub work: PathBuf,
    /// What lies on the stick in its USB port.
    pub stick: Option<PathBuf>,
    /// The guest's clock goes by what it got to compute: a machine that has no time for it misses no watchdog. Not with a plant,
    /// which lives in the host's time.
    pub is_patient: bool,
}

impl Sources {
    /// A limit, by the host's clock.
    const fn patience(&self, limit: Duration) -> Duration {
        limit.saturating_mul(if self.is_patient { 6 } else { 1 })
    }
}

/// One box. Off at first; dropped, it is gone.
pub struct Appliance {
    pub(super) sources: Sources,
    pub(super) qemu: Qemu,
    pub(super) writes: Writes,
    pub lines: Arc<Lines>,
    pub world: Turning,
    /// Of the broker's door for people with certificates, on this machine's loopback.
    pub port: u16,
}

/// A box that has come to rest after one or several starts.
#[derive(Debug, Clone)]
pub struct Settled {
    /// `A` or `B`.
    pub slot: String,
    pub version: String,
    pub took: Duration,
}

#[derive(Deserialize)]
struct SiteFile {
    pump: RawPlan,
}

/// The plan of the site that tests and `run` put onto the box.
fn plan() -> Result<Plan, RigError> {
    let wrong = |e: String| RigError::Not(format!("{SITE}: {e}"));
    let text = fs::read_to_string(SITE).map_err(|e| wrong(e.to_string()))?;
    let site: SiteFile = serde_saphyr::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    parse::parse(&site.pump).map(|parsed| parsed.plan).map_err(|all| wrong(format!("{all:?}")))
}

impl Appliance {
    /// With the disk of that folder: `Sources::built` for a box as new.
    ///
    /// # Errors
    /// It is not built, or runs already.
    pub fn new(sources: Sources, disk: &Path) -> Result<Self, RigError> {
        let qemu = Qemu::new(sources.arch.qemu(), &sources.work)?;
        let (board, work) = (board::load(Path::new(BOARD))?, &sources.work);
        let layout = layout(&board, &[])?;
        let wiring = Wiring::of(&board, &layout)?;
        let stage = work.join("stage");
        // What an earlier run left.
        let _ = fs::remove_dir_all(&stage);
        fs::create_dir_all(&stage).map_err(file("can't make", &stage))?;
        let lines = stage.join("lines");
        fs::write(&lines, layout.to_string()).map_err(file("can't write", &lines))?;
        let agent = sources.built.join("vigia-lines");
        run("cp", Command::new("cp").arg("-r").arg(UNITS).arg(agent).arg(&stage))?;
        let mut pack = Command::new("mksquashfs");
        pack.arg(&stage).arg(work.join("board.squashfs"));
        run("mksquashfs", pack.args(["-noappend", "-comp", "lz4", "-all-root", "-quiet", "-no-progress"]))?;
        if let Some(folder) = &sources.stick {
            stick(folder, &work.join(STICK))?;
        }
        let lines = Arc::new(Lines::listen(&work.join("lines.sock"), layout)?);
        let plant = Plant::new(PlantConfig::of(&plan()?), 1);
        let world = World::new(plant, wiring, Arc::clone(&lines), 1);
        let world = Turning::start(world).map_err(RigError::Thread)?;
        let port = free_port().map_err(RigError::Thread)?;
        let writes = Writes::at(work.join("writes"));
        let appliance = Self { sources, qemu, writes, lines, world, port };
        appliance.renew(disk)?;
        Ok(appliance)
    }

    /// Another disk in its place; the machine is off.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn renew(&self, from: &Path) -> Result<(), RigError> {
        for name in KEPT {
            copy(&from.join(name), &self.sources.work.join(name))?;
        }
        Ok(())
    }

    /// Another stick in its USB port; the machine is off.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn plug(&mut self, folder: Option<PathBuf>) -> Result<(), RigError> {
        if let Some(folder) = &folder {
            stick(folder, &self.sources.work.join(STICK))?;
        }
        self.sources.stick = folder;
        Ok(())
    }

    /// Its disk as it is, for others to begin with; the machine is off.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn keep(&self, to: &Path) -> Result<(), RigError> {
        fs::create_dir_all(to).map_err(file("can't make", to))?;
        KEPT.iter().try_for_each(|name| copy(&self.sources.work.join(name), &to.join(name)))
    }

    /// The folder of a box as new.
    pub fn built(&self) -> PathBuf {
        self.sources.built.clone()
    }

    /// What the kernel said, over all starts.
    pub fn serial_log(&self) -> PathBuf {
        self.qemu.serial_log()
    }

    pub fn disk(&self) -> PathBuf {
        self.sources.work.join(KEPT[0])
    }

    /// Switches it on, and waits for the first word from inside.
    ///
    /// # Errors
    /// There is none.
    pub fn boot(&mut self) -> Result<Duration, RigError> {
        let (boots, _) = self.lines.boots();
        self.writes.begin(&self.disk())?;
        let since = now();
        self.qemu.start(&self.arguments())?;
        self.wait_up(boots, BOOT_MAX)?;
        Ok(now().since(since))
    }

    /// Off, and nothing more is wanted of it.
    pub fn cut(&mut self) {
        self.qemu.cut();
    }

    /// Switched off as people do it: everything is on the disk.
    ///
    /// # Errors
    /// It does not go off.
    pub fn power_off(&mut self) -> Result<(), RigError> {
        self.lines.throw("systemctl poweroff")?;
        Ok(self.qemu.wait_off(self.sources.patience(BOOT_MAX))?)
    }

    /// What a command says that ends well.
    ///
    /// # Errors
    /// It does not.
    pub fn run(&self, command: &str) -> Result<String, RigError> {
        self.run_for(command, COMMAND_MAX)
    }

    /// # Errors
    /// As of [`Appliance::run`].
    pub fn run_for(&self, command: &str, limit: Duration) -> Result<String, RigError> {
        let ran = self.lines.run(command, self.sources.patience(limit))?;
        if ran.end == End::Code(0) {
            return Ok(ran.out.trim().to_owned());
        }
        let says = format!("{}{}", ran.out, ran.err).trim().to_owned();
        Err(RigError::Command { command: command.to_owned(), end: ran.end, says })
    }

    /// How often the boot loader has started that slot in all; a start may end before anybody inside has a word.
    pub fn launches(&self, slot: &str) -> usize {
        let log = fs::read(self.serial_log()).unwrap_or_default();
        String::from_utf8_lossy(&log).matches(&format!("launcher: slot {slot}, start")).count()
    }

    /// Waits until a start is judged to be good, over as many starts as that takes.
    ///
    /// # Errors
    /// None is within `limit`; says what the box said last.
    pub fn settle(&mut self, limit: Duration) -> Result<Settled, RigError> {
        const ASK: &str = "grep -o 'rauc.slot=.' /proc/cmdline | cut -d= -f2; sed -n 's/^VERSION=//p' /usr/lib/vigia/release; \
             journalctl -q -b -u vigia-verdict -o cat --no-pager | grep '^verdict:' | tail -n 1";
        let limit = self.sources.patience(limit);
        let since = now();
        let mut last = String::from("no word");
        while now().since(since) < limit {
            self.qemu.check()?;
            // Between two starts there is nobody to ask.
            if let Ok(said) = self.run(ASK) {
                let mut words = said.lines();
                let (slot, version, verdict) =
                    (words.next(), words.next(), words.next().unwrap_or("no verdict"));
                if let (Some(slot), Some(version), true) = (slot, version, verdict.contains(" stays: ")) {
                    let (slot, version) = (slot.to_owned(), version.to_owned());
                    return Ok(Settled { slot, version, took: now().since(since) });
                }
                last = said;
            }
            rest(LOOK_EVERY);
        }
        Err(RigError::Not(format!(
            "not settled within {} s; the box said: {last}\n{}",
            limit.as_secs(),
            self.last_words()
        )))
    }

    pub fn last_words(&self) -> String {
        let asked = self.run("systemctl --failed --no-legend --plain; journalctl -b -p warning -o short-monotonic --no-pager | tail -n 25");
        format!("{}\nserial port: {}", asked.unwrap_or_default(), self.qemu.serial())
    }

    /// Waits for the guest after the first `boots` ones.
    ///
    /// # Errors
    /// It does not come.
    pub fn wait_up(&mut self, boots: u32, limit: Duration) -> Result<(), RigError> {
        let up = self.lines.wait_up(boots, self.sources.patience(limit));
        self.qemu.check()?;
        up.map(drop).map_err(|e| RigError::Not(format!("{e}; the serial port: {}", self.qemu.serial())))
    }

    fn arguments(&self) -> Vec<String> {
        let Sources { arch, built, work, stick, is_patient } = &self.sources;
        let (built, work) = (
            |name: &str| built.join(name).display().to_string(),
            |name: &str| work.join(name).display().to_string(),
        );
        let mut all: Vec<String> =
            ["-nodefaults", "-display", "none", "-smp", "1", "-m", "1024"].map(str::to_owned).into();
        all.extend(arch.machine().map(str::to_owned));
        let mut add = |option: &str, value: String| all.extend([option.to_owned(), value]);
        add("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={}", built("code.fd")));
        add("-drive", format!("if=pflash,unit=1,format=raw,file={}", work(KEPT[1])));
        add("-blockdev", self.writes.blockdev("system", &self.disk()));
        add("-device", "virtio-blk-pci,drive=system,serial=system,bootindex=1".to_owned());
        let mut disk = |id: &str, path: String, serial: &str| {
            add("-drive", format!("if=none,id={id},format=raw,file={path},readonly=on"));
            add("-device", format!("virtio-blk-pci,drive={id},serial={serial}"));
        };
        disk("board", work("board.squashfs"), "vigia-lines");
        let updates = built("bundles/updates.squashfs");
        if Path::new(&updates).exists() {
            disk("updates", updates, "vigia-updates");
        }
        add("-device", "qemu-xhci".to_owned());
        if *is_patient {
            // 8 ns for each instruction.
            add("-icount", "shift=3".to_owned());
        }
        if stick.is_some() {
            add("-drive", format!("if=none,id=stick,format=raw,file={}", work(STICK)));
            add("-device", "usb-storage,drive=stick,removable=on".to_owned());
        }
        add("-netdev", format!("user,id=net,hostfwd=tcp:127.0.0.1:{}-:8883", self.port));
        add("-device", "virtio-net-pci,netdev=net,romfile=".to_owned());
        add("-device", "virtio-rng-pci".to_owned());
        add("-device", "i6300esb".to_owned());
        add("-action", "watchdog=reset".to_owned());
        // Its machine-id follows from this.
        add("-uuid", "76696769-0000-4000-8000-000000000001".to_owned());
        add("-device", "virtio-serial-pci".to_owned());
        add("-chardev", format!("socket,id=port,path={}", work("lines.sock")));
        add("-device", "virtserialport,chardev=port,name=vigia.lines".to_owned());
        add("-chardev", format!("file,id=serial,path={},append=on", self.qemu.serial_log().display()));
        add("-serial", "chardev:serial".to_owned());
        all
    }
}

/// As a technician makes one: FAT, labelled `VIGIA`.
fn stick(folder: &Path, image: &Path) -> Result<(), RigError> {
    const KIB: &str = "131072";
    // An earlier one.
    let _ = fs::remove_file(image);
    let mut format = Command::new("mkfs.vfat");
    run("mkfs.vfat", format.args(["-C", "-n", "VIGIA"]).arg(image).arg(KIB))?;
    for entry in fs::read_dir(folder).map_err(file("can't read", folder))?.flatten() {
        run(
            "mcopy",
            Command::new("mcopy").arg("-i").arg(image).args(["-s", "-Q"]).arg(entry.path()).arg("::"),
        )?;
    }
    Ok(())
}

pub fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
