//! A box of two slots that are files, with the real RAUC behind a bus of its own, and a service manager that says what a
//! test wants it to.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::broker::wait_for;
use super::shared::{Run, folder, skipped};

/// Pump at rest, as systemd tells it.
pub const AT_REST: &str = "LoadState=loaded\nActiveState=active\nResult=success\nInactiveExitTimestampMonotonic=9\nStatusText=at rest: Idle\n";
pub const RUNNING: &str = "LoadState=loaded\nActiveState=active\nResult=success\nInactiveExitTimestampMonotonic=9\nStatusText=not at rest: Running\n";
/// What the new slot is to hold.
const IMAGE_BYTES: usize = 16_384;

pub struct Rig {
    folder: TempDir,
    bus: Option<(Child, String)>,
    service: Option<Child>,
}

impl Rig {
    /// Version 0.2.0 in slot A, nothing older than 0.1.5 taken. Without RAUC's service: bundles can be looked at.
    pub fn new() -> Option<Self> {
        for tool in ["rauc", "mksquashfs", "openssl"] {
            let found = Command::new(tool).arg("--version").output().is_ok();
            if !found {
                skipped(&format!("{tool} is not installed"));
                return None;
            }
        }
        let it = Self { folder: folder(), bus: None, service: None };
        for dir in [
            "usr/lib/vigia",
            "etc/rauc",
            "data/update",
            "data/rauc",
            "data/support",
            "run/vigia-update/request",
            "run/vigia-box",
            "bin",
            "mnt",
        ] {
            std::fs::create_dir_all(it.at(dir)).expect("ours");
        }
        it.write("usr/lib/vigia/release", "VERSION=0.2.0\nFLOOR=0.1\nCOMPATIBLE=vigia-test\nPLATFORM=efi\n");
        it.write("data/update/floor", "0.1.5\n");
        it.write("systemctl.says", AT_REST);
        let root = it.root().display().to_string();
        it.script("bin/systemctl", &format!(
            "case \"$1\" in\n  show) [ ! -e '{root}/wet' ] || ! cmp -s '{root}/b' '{root}/image' || {{ cat '{root}/wet'; exit 0; }}\n    cat '{root}/systemctl.says' ;;\n  reboot) echo reboot >> '{root}/reboots' ;;\n  restart) shift; echo \"$*\" >> '{root}/restarts' ;;\n  *) exit 1 ;;\nesac\n"
        ));
        // As `appliance/system/usr/lib/vigia/slots`, with a file in the place of UEFI's variables.
        it.write("primary", "A");
        it.write("state.A", "good");
        it.write("state.B", "good");
        it.script("slots", &format!(
            "cd '{root}'\ncase \"$1\" in\n  get-primary) cat primary ;;\n  set-primary) echo \"$2\" > primary; echo good > \"state.$2\" ;;\n  get-state) cat \"state.$2\" ;;\n  set-state) echo \"$3\" > \"state.$2\" ;;\n  get-current) echo A ;;\nesac\n"
        ));
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("appliance/keys.sh");
        for name in ["keys", "stranger"] {
            let made = Command::new("sh").arg(&keys).arg(it.at(name)).stderr(Stdio::null()).status();
            assert!(made.expect("sh is there").success());
        }
        std::fs::write(
            it.at("image"),
            fastrand::Rng::with_seed(7).u64(..).to_le_bytes().repeat(IMAGE_BYTES / 8),
        )
        .expect("ours");
        for slot in ["a", "b"] {
            std::fs::write(it.at(slot), vec![0; IMAGE_BYTES]).expect("ours");
        }
        it.write("etc/rauc/system.conf", &format!(
            "[system]\ncompatible=vigia-test\nbootloader=custom\ndata-directory={root}/data/rauc\nmountprefix={root}/mnt\nbundle-formats=plain verity\n\
             [keyring]\npath={root}/keys/keyring.pem\nuse-bundle-signing-time=true\ncheck-purpose=codesign\n\
             [handlers]\nbootloader-custom-backend={root}/slots\n\
             [slot.rootfs.0]\ndevice={root}/a\ntype=raw\nbootname=A\n[slot.rootfs.1]\ndevice={root}/b\ntype=raw\nbootname=B\n"
        ));
        Some(it)
    }

    /// With RAUC's service. `None`, said aloud, where it can't run or mount.
    pub fn running() -> Option<Self> {
        let mut it = Self::new()?;
        let bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut bus) = bus else {
            skipped("dbus-daemon is not installed");
            return None;
        };
        let mut address = String::new();
        BufReader::new(bus.stdout.take()?).read_line(&mut address).expect("it says where");
        it.bus = Some((bus, address.trim().to_owned()));
        // RAUC mounts a bundle before it reads it.
        let may_mount = rustix::process::geteuid().is_root() && Path::new("/dev/loop-control").exists();
        if !may_mount {
            skipped("mounting needs root and loop devices");
            return None;
        }
        let conf = it.at("etc/rauc/system.conf");
        let service = it
            .command("rauc")
            .arg("--conf")
            .arg(&conf)
            .args(["--override-boot-slot=A", "service"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        it.service = Some(service.expect("rauc starts"));
        wait_for("rauc's service", Duration::from_secs(20), || {
            let status = it.command("rauc").arg("--conf").arg(&conf).arg("status").output();
            status.expect("rauc is there").status.success()
        });
        Some(it)
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        std::fs::write(self.at(path), text).expect("ours");
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    fn script(&self, path: &str, text: &str) {
        self.write(path, &format!("#!/bin/sh\n{text}"));
        std::fs::set_permissions(self.at(path), std::fs::Permissions::from_mode(0o755)).expect("ours");
    }

    /// What programs on this box see.
    pub fn environment(&self) -> Vec<(String, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut all = vec![
            ("VIGIA_ROOT".to_owned(), self.root().display().to_string()),
            ("PATH".to_owned(), format!("{}:{path}", self.at("bin").display())),
            ("RUNTIME_DIRECTORY".to_owned(), self.at("run/vigia-box").display().to_string()),
        ];
        if let Some((_, address)) = &self.bus {
            all.push(("DBUS_STARTER_BUS_TYPE".to_owned(), "session".to_owned()));
            all.push(("DBUS_SESSION_BUS_ADDRESS".to_owned(), address.clone()));
        }
        all
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment());
        command
    }

    pub fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_vigia"));
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("vigia starts")
    }

    pub fn vigia(&self, args: &[&str]) -> Run {
        ended(self.start(args))
    }

    /// From the moment when the slot is written on, `rauc status` takes until there is a file `answered`.
    pub fn hold_rauc_status(&self) {
        let root = self.root().display();
        self.script("bin/rauc", &format!(
            "case \"$*\" in *status*) while cmp -s '{root}/b' '{root}/image' && [ ! -e '{root}/answered' ]; do sleep 0.1; done ;; esac\nPATH=${{PATH#*:}}\nexec rauc \"$@\"\n"
        ));
    }

    /// As the unit does, once there is a request.
    pub fn carry_out(&self, more: &[&str]) -> Child {
        wait_for("a request", Duration::from_secs(30), || {
            self.at("run/vigia-update/request/request.json").exists()
        });
        let grace: &[&str] = if more.contains(&"--grace-s") { &[] } else { &["--grace-s", "0.2"] };
        self.start(&[&["update", "carry-out", "--look-every-s", "0.05"], grace, more].concat())
    }

    /// A bundle of this version for this kind of box.
    pub fn bundle(&self, name: &str, compatible: &str, version: &str, keys: &str) -> PathBuf {
        let (content, path) = (self.at(&format!("{name}.d")), self.at(name));
        std::fs::create_dir_all(&content).expect("ours");
        std::fs::copy(self.at("image"), content.join("rootfs.img")).expect("ours");
        let manifest = format!(
            "[update]\ncompatible={compatible}\nversion={version}\ndescription=vigia {version}, TensorRT 10.16\n\n[bundle]\nformat=plain\n\n[image.rootfs]\nfilename=rootfs.img\n"
        );
        std::fs::write(content.join("manifest.raucm"), manifest).expect("ours");
        let keys = self.at(keys);
        let made = Command::new("rauc")
            .arg("--cert")
            .arg(keys.join("signing.crt"))
            .arg("--key")
            .arg(keys.join("signing.key"))
            .arg("bundle")
            .arg(&content)
            .arg(&path)
            .output()
            .expect("rauc is there");
        assert!(made.status.success(), "{made:?}");
        path
    }

    pub fn good(&self) -> String {
        let made = self.at("good.raucb");
        if made.exists() {
            return made.display().to_string();
        }
        self.bundle("good.raucb", "vigia-test", "0.3.0", "keys").display().to_string()
    }

    pub fn state(&self) -> Value {
        serde_json::from_str(&self.read("run/vigia-update/state.json")).unwrap_or_default()
    }

    pub fn is_written(&self) -> bool {
        std::fs::read(self.at("b")).expect("ours") == std::fs::read(self.at("image")).expect("ours")
    }

    pub fn reboots(&self) -> usize {
        self.read("reboots").lines().count()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let bus = self.bus.take().map(|(bus, _)| bus);
        for mut child in self.service.take().into_iter().chain(bus) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn ended(child: Child) -> Run {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}
