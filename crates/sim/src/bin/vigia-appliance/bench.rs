//! A box with everything around it: cameras, a plant, a person with a certificate.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use vigia_sim::plant::{Button, Selector};
use vigia_sim::vm::blind;
use vigia_sim::vm::clock::{now, rest};
use vigia_sim::vm::machine::file;
use vigia_sim::vm::rig::RigError;
use vigia_sim::{Camera, RtspServer};

use crate::machine::{Appliance, SITE, Settled, Sources};

/// What the cameras of the site show: a fire that nobody trained with, and a street.
const CAMERAS: [(&str, &str); 2] = [
    ("/farm", "scene:9000000105:fire:place=farm:640x360@1"),
    ("/street", "scene:9000000100:quiet:place=street:640x360@1"),
];
/// To the machine that runs qemu, as the guest sees it.
const HOST: &str = "10.0.2.2";
const WHO: &str = "anna";
/// The share of a tank that its floats call full.
const FULL: f64 = 0.94;
/// From a press to water and back to rest: seconds of the plan, many more on a busy machine.
const RUN_MAX: Duration = Duration::from_secs(300);
/// A trial, its end and the starts that a bad slot has.
const SETTLE_MAX: Duration = Duration::from_secs(3600);
const INSTALL_MAX: Duration = Duration::from_secs(1200);

pub struct Bench {
    pub appliance: Appliance,
    /// Serves as long as it is here.
    _cameras: RtspServer,
    camera_port: u16,
    /// A box that has been set up, switched off.
    pub settled: PathBuf,
    /// The same with a model that takes no time, for what is done a hundred times.
    blind: PathBuf,
    is_blind: bool,
    pub people: PathBuf,
    vigia: PathBuf,
    pub rng: fastrand::Rng,
}

impl Bench {
    /// `again`: with the box of an earlier run, whose cameras are where they were.
    ///
    /// # Errors
    /// What is missing.
    pub fn new(sources: Sources, seed: u64, again: bool) -> Result<Self, RigError> {
        let not = |e: vigia_sim::SimError| RigError::Not(format!("cameras: {e}"));
        let kept = sources.work.join("cameras-port");
        let port = match again {
            true => fs::read_to_string(&kept).map_err(file("can't read", &kept))?,
            false => "0".to_owned(),
        };
        let port = port.trim().parse().map_err(|e| RigError::Not(format!("{}: {e}", kept.display())))?;
        let cameras = RtspServer::start_on((Ipv4Addr::LOCALHOST, port).into()).map_err(not)?;
        for (path, spec) in CAMERAS {
            cameras.add(path, spec.parse::<Camera>().map_err(not)?).map_err(not)?;
        }
        let camera_port = cameras.address().port();
        let [settled, blind, people] = ["settled", "blind", "people"].map(|name| sources.work.join(name));
        fs::create_dir_all(&people).map_err(file("can't make", &people))?;
        let built = sources.built.clone();
        // The program of the box itself speaks for the technician; that of a PC's box, if the box is none.
        let vigia = built.with_file_name("x86_64").join("root/usr/bin/vigia");
        let appliance = Appliance::new(sources, &built)?;
        fs::write(&kept, camera_port.to_string()).map_err(file("can't write", &kept))?;
        Ok(Self {
            appliance,
            _cameras: cameras,
            camera_port,
            settled,
            blind,
            is_blind: false,
            people,
            vigia,
            rng: fastrand::Rng::with_seed(seed),
        })
    }

    /// The plant as a technician leaves it: nobody at the buttons, the tank full.
    pub fn make_sound(&self) {
        self.appliance.world.with(|world| {
            world.plant.mend_all();
            [Button::Stop, Button::Fire, Button::Reset]
                .into_iter()
                .for_each(|button| world.plant.press(button, false));
            world.plant.turn(Selector::Auto);
            let volume = world.plant.config().tank.volume_l;
            world.plant.fill_to(FULL * volume);
        });
    }

    /// The site file, with this machine's cameras.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn site(&self) -> Result<String, RigError> {
        let text = fs::read_to_string(SITE).map_err(file("can't read", Path::new(SITE)))?;
        Ok(text.replace("@CAMERAS@", &format!("{HOST}:{}", self.camera_port)))
    }

    /// The site, and a certificate for a technician, brought into the box that runs.
    ///
    /// # Errors
    /// The box refuses something.
    pub fn set_up(&self) -> Result<(), RigError> {
        let text = self.site()?;
        let run = |command: &str| self.appliance.run(command);
        run(&format!("cat > /etc/vigia/site.yaml << 'END'\n{text}\nEND"))?;
        run(
            "cp /usr/share/vigia/board.default.yaml /etc/vigia/board.yaml && chown root:vigia /etc/vigia/*.yaml",
        )?;
        run(
            "setpriv --reuid=vigia-pump --regid=vigia --clear-groups vigia-pump commission --state /var/lib/vigia/pump",
        )?;
        run(&format!(
            "mkdir -p /run/people && /usr/lib/vigia/pki issue {WHO} technician /run/people && systemctl reload vigia-broker"
        ))?;
        for name in [&format!("{WHO}.key"), &format!("{WHO}.crt"), "ca.crt"] {
            let to = self.people.join(name);
            fs::write(&to, run(&format!("cat /run/people/{name}"))? + "\n")
                .map_err(file("can't write", &to))?;
        }
        run("systemctl restart --no-block vigia-pump vigia")?;
        self.ctl_config().map(drop)
    }

    /// Another model takes the place of the one that ships.
    ///
    /// # Errors
    /// The box does not take it.
    pub fn blind(&mut self) -> Result<(), RigError> {
        if self.is_blind {
            return Ok(());
        }
        self.start(&self.settled.clone())?;
        let models = self.people.join("models");
        blind::import(&self.vigia, &models)?;
        let run = |command: &str| self.appliance.run(command);
        run("until systemctl is-active -q vigia-setup; do sleep 0.2; done")?;
        for name in blind::FILES {
            let text = said(Command::new("base64").arg(models.join(name)))?;
            let to = format!("/var/lib/vigia/models/{name}");
            run(&format!("base64 -d > {to} << 'END'\n{text}\nEND\nchown vigia:vigia {to}"))?;
        }
        run(&format!("sed -i 's/^  model: .*/  model: {}/' /etc/vigia/site.yaml", blind::NAME))?;
        self.appliance.power_off()?;
        self.appliance.keep(&self.blind)?;
        self.is_blind = true;
        Ok(())
    }

    /// Switched on with the disk of a box that has been set up, and that sees nothing.
    ///
    /// # Errors
    /// There is no word from inside.
    pub fn start_blind(&mut self) -> Result<(), RigError> {
        self.start(&self.blind.clone())
    }

    fn start(&mut self, disk: &Path) -> Result<(), RigError> {
        self.appliance.cut();
        self.appliance.renew(disk)?;
        self.make_sound();
        self.appliance.boot().map(drop)
    }

    /// Switched on with the disk of a box that has been set up.
    ///
    /// # Errors
    /// It does not come to rest.
    pub fn start_settled(&mut self) -> Result<Settled, RigError> {
        self.start(&self.settled.clone())?;
        let settled = self.appliance.settle(SETTLE_MAX)?;
        sees(settled.slot == "A", || {
            format!("a box that was switched off in order went to slot {}", settled.slot)
        })?;
        Ok(settled)
    }

    /// # Errors
    /// RAUC refuses, with its own words.
    pub fn install(&self, name: &str) -> Result<Duration, RigError> {
        let since = now();
        self.updates()?;
        self.appliance.run_for(&format!("rauc install /run/updates/{name}.raucb"), INSTALL_MAX)?;
        Ok(now().since(since))
    }

    /// The stick with the updates.
    ///
    /// # Errors
    /// It is not there.
    pub fn updates(&self) -> Result<(), RigError> {
        const MOUNT: &str = "mkdir -p /run/updates && { mountpoint -q /run/updates || mount -o ro /dev/disk/by-id/virtio-vigia-updates /run/updates; }";
        self.appliance.run(MOUNT).map(drop)
    }

    /// Started again, to where it comes to rest.
    ///
    /// # Errors
    /// It does not.
    pub fn restart(&mut self) -> Result<Settled, RigError> {
        let (boots, _) = self.appliance.lines.boots();
        self.appliance.lines.throw("systemctl reboot")?;
        self.restarts(boots)
    }

    /// It has started so many times, and does so again by itself.
    ///
    /// # Errors
    /// It does not, or does not come to rest.
    pub fn restarts(&mut self, boots: u32) -> Result<Settled, RigError> {
        self.appliance.wait_up(boots, SETTLE_MAX)?;
        self.appliance.settle(SETTLE_MAX)
    }

    /// # Errors
    /// It does not come to rest.
    pub fn settle(&mut self) -> Result<Settled, RigError> {
        self.appliance.settle(SETTLE_MAX)
    }

    /// A command over MQTT, with the technician's certificate.
    ///
    /// # Errors
    /// It was not `completed` within so many seconds.
    pub fn ctl(&self, words: &[&str], limit_s: u32) -> Result<String, RigError> {
        let mut command = Command::new(&self.vigia);
        command.arg("ctl").args(words).args(["--timeout", &limit_s.to_string(), "--config"]);
        command.arg(self.ctl_config()?);
        said(&mut command)
    }

    fn ctl_config(&self) -> Result<PathBuf, RigError> {
        let path = |name: &str| self.people.join(name).display().to_string();
        let config = self.people.join("ctl.yaml");
        let text = format!(
            "mqtt: {{host: localhost, port: {}, tls: {{ca_file: {}, cert_file: {}, key_file: {}}}}}\n",
            self.appliance.port,
            path("ca.crt"),
            path(&format!("{WHO}.crt")),
            path(&format!("{WHO}.key"))
        );
        fs::write(&config, text).map_err(file("can't write", &config))?;
        Ok(config)
    }

    /// The first message on a topic for which this holds.
    ///
    /// # Errors
    /// It does not come.
    pub fn hear(&self, topic: &str, limit: Duration, is: impl Fn(&str) -> bool) -> Result<String, RigError> {
        let since = now();
        let mut last = RigError::Not("nothing was tried".to_owned());
        while now().since(since) < limit {
            let path = |name: &str| self.people.join(name);
            let mut listen = Command::new("mosquitto_sub");
            listen.args([
                "-h",
                "localhost",
                "-p",
                &self.appliance.port.to_string(),
                "-t",
                topic,
                "-C",
                "1",
                "-W",
                "20",
            ]);
            listen.arg("--cafile").arg(path("ca.crt"));
            listen
                .arg("--cert")
                .arg(path(&format!("{WHO}.crt")))
                .arg("--key")
                .arg(path(&format!("{WHO}.key")));
            match said(&mut listen) {
                Ok(text) if is(&text) => return Ok(text),
                Ok(_) => {}
                Err(e) => last = e,
            }
            rest(Duration::from_millis(200));
        }
        Err(RigError::Not(format!("nothing of that kind on {topic} within {} s: {last}", limit.as_secs())))
    }

    /// The pump program feeds K0, and nothing else is on.
    ///
    /// # Errors
    /// It does not.
    pub fn wait_armed(&self) -> Result<(), RigError> {
        self.wait("the pump program is armed", |world| world.is_k0_pulled() && !world.plant.truth().runs)
    }

    /// # Errors
    /// It was not so for five minutes.
    pub fn wait(
        &self,
        what: &str,
        is: impl Fn(&vigia_sim::vm::world::World) -> bool,
    ) -> Result<(), RigError> {
        if self.appliance.world.wait(RUN_MAX, is) {
            return Ok(());
        }
        let log = self.appliance.run("journalctl -u vigia-pump -b -o cat --no-pager | tail -n 25");
        Err(RigError::Not(format!("not within {} s: {what}; {}", RUN_MAX.as_secs(), log.unwrap_or_default())))
    }

    /// A hand on a button for half a second.
    pub fn press(&self, button: Button) {
        self.appliance.world.with(|world| world.plant.press(button, true));
        rest(Duration::from_millis(500));
        self.appliance.world.with(|world| world.plant.press(button, false));
    }

    /// How to get at the box that runs.
    pub fn invitation(&self) -> String {
        let (port, people) = (self.appliance.port, self.people.display());
        let with = format!("--cafile {people}/ca.crt --cert {people}/{WHO}.crt --key {people}/{WHO}.key");
        format!(
            "broker (mTLS): localhost:{port}; certificate of the technician «{WHO}»: {people}\n  \
             mosquitto_sub -h localhost -p {port} {with} -t '#' -v\n  \
             {} ctl ping --config {people}/ctl.yaml\n\
             cameras: {}\nCtrl-C switches it off",
            self.vigia.display(),
            CAMERAS.map(|(path, _)| format!("rtsp://127.0.0.1:{}{path}", self.camera_port)).join(", ")
        )
    }
}

/// What a program says that ends well.
///
/// # Errors
/// It does not.
pub fn said(command: &mut Command) -> Result<String, RigError> {
    let out: Output = command.output().map_err(RigError::Programs)?;
    let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    if out.status.success() {
        return Ok(text);
    }
    let says = String::from_utf8_lossy(&out.stderr).trim().to_owned();
    Err(RigError::Not(format!("{:?} ended with {}: {says} {text}", command.get_program(), out.status)))
}

/// # Errors
/// It is not so.
pub fn sees(is: bool, otherwise: impl FnOnce() -> String) -> Result<(), RigError> {
    if is { Ok(()) } else { Err(RigError::Not(otherwise())) }
}

/// Where the partition with this number begins on a disk, bytes.
///
/// # Errors
/// `sgdisk` does not say.
pub fn partition(disk: &Path, number: u32) -> Result<u64, RigError> {
    let text = said(Command::new("sgdisk").arg("-i").arg(number.to_string()).arg(disk))?;
    let sector = text
        .lines()
        .find_map(|line| line.strip_prefix("First sector: ")?.split(' ').next()?.parse::<u64>().ok());
    sector.map(|sector| sector * 512).ok_or_else(|| RigError::Not(format!("no partition {number}: {text}")))
}
