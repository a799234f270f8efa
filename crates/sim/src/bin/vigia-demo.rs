//! `make run`: a broker, four RTSP cameras with rendered scenes, vigia watching them with the
//! model that comes with it, and the live view of what it sees. Needs nothing from outside of the
//! repository. Ends everything it started when the view ends.
#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{consts::SIGINT, consts::SIGTERM, iterator::Signals};
use vigia_sim::{Camera, RtspServer};

/// What the cameras show, in the order of the rooms: a fire from two sides, traffic, and much that
/// looks like fire, with seeds that no model was trained with. Small and slow enough for two cores that also run vigia.
const CAMERAS: [&str; 4] = [
    "scene:9000000105:fire:cam=0:place=farm:640x360@5",
    "scene:9000000105:fire:cam=1:place=farm:640x360@5",
    "scene:9000000100:quiet:place=street:640x360@5",
    "scene:9000000106:friends:place=garage:640x360@5",
];

#[derive(Debug, Parser)]
#[command(about = "Shows vigia at work on this machine")]
struct Args {
    /// End after this many seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// The model to watch with
    #[arg(long, default_value = "lookout-n")]
    model: String,
    /// Folder of the model's manifest
    #[arg(long, value_name = "DIR", default_value = "models")]
    models_dir: PathBuf,
    /// What a camera shows instead, as for `vigia-sim rtsp`: scene:SEED:PLOT…, or a clip's path
    #[arg(long = "camera", value_name = "SPEC")]
    cameras: Vec<Camera>,
    /// Where the demo keeps its files
    #[arg(long, default_value = ".cache/demo")]
    folder: PathBuf,
}

/// Children end with this, last started first.
#[derive(Default)]
struct Children(Vec<(&'static str, Child)>);

impl Children {
    fn spawn(&mut self, name: &'static str, command: &mut Command) -> Result<(), String> {
        let child = command.spawn().map_err(|e| format!("{name} can't be started: {e}"))?;
        self.0.push((name, child));
        Ok(())
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for (name, mut child) in self.0.drain(..).rev() {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::TERM);
            }
            match child.wait() {
                Ok(status) if !status.success() && name == "vigia" => {
                    eprintln!("demo: {name} ended with {status}");
                }
                _ => {}
            }
        }
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("demo: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let vigia = std::env::current_exe().ok().and_then(|p| Some(p.parent()?.join("vigia")));
    let vigia = vigia.filter(|p| p.exists()).ok_or("the program vigia is not built")?;
    fs::create_dir_all(&args.folder).map_err(|e| format!("{}: {e}", args.folder.display()))?;
    let manifest = args.models_dir.join(format!("{}.yaml", args.model));
    if !manifest.exists() {
        return Err(format!(
            "there is no model at {}; run this in the repository's folder",
            manifest.display()
        ));
    }
    // The view gets Ctrl-C from the terminal as we do; we only wait for it to end.
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|e| e.to_string())?;
    let (server, urls) = cameras(args)?;
    let mut children = Children::default();
    let port = free_port()?;
    let password = broker(&mut children, args, port)?;
    let site = site(args, port, &urls)?;
    let log = fs::File::create(args.folder.join("vigia.log")).map_err(|e| e.to_string())?;
    let mut command = Command::new(&vigia);
    command.args(["run", "--enable-control", "--config"]).arg(&site);
    command.env("MQTT_USERNAME", "vigia").env("MQTT_PASSWORD", &password).stderr(log).stdout(Stdio::null());
    children.spawn("vigia", &mut command)?;
    println!("broker on port {port}; events: mosquitto_sub -h 127.0.0.1 -p {port} -t 'nvr/detections/#' -v");
    println!("log: {}", args.folder.join("vigia.log").display());
    let _ = io::stdout().flush();
    let mut view = Command::new(&vigia);
    view.args(["watch", "--mqtt-host", "127.0.0.1", "--mqtt-port", &port.to_string()]);
    if let Some(seconds) = args.seconds {
        view.args(["--seconds", &seconds.to_string()]);
    }
    children.spawn("watch", &mut view)?;
    let seen = wait(&mut children, &mut signals);
    drop(children);
    drop(server);
    seen
}

/// Waits until the view ends or a signal comes; another child that ends is an error.
fn wait(children: &mut Children, signals: &mut Signals) -> Result<(), String> {
    loop {
        for (name, child) in &mut children.0 {
            match child.try_wait().map_err(|e| e.to_string())? {
                Some(status) if *name == "watch" && status.success() => return Ok(()),
                Some(status) => {
                    return Err(format!("{name} ended with {status}; see the log in the demo's folder"));
                }
                None => {}
            }
        }
        if signals.pending().next().is_some() {
            return Ok(());
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// Serves the cameras; the addresses in the order of the rooms.
fn cameras(args: &Args) -> Result<(RtspServer, Vec<String>), String> {
    let server = RtspServer::start().map_err(|e| e.to_string())?;
    let mut cameras = args.cameras.clone();
    if cameras.is_empty() {
        let usual = CAMERAS.iter().map(|spec| spec.parse());
        cameras = usual.collect::<Result<_, _>>().map_err(|e: vigia_sim::SimError| e.to_string())?;
    }
    let mut urls = Vec::new();
    for (room, camera) in cameras.into_iter().enumerate() {
        let mount = server.add(&format!("/live/{room}"), camera).map_err(|e| e.to_string())?;
        urls.push(mount.url().to_owned());
    }
    Ok((server, urls))
}

/// Starts mosquitto with the project's configuration on `port`; the password of the user vigia.
fn broker(children: &mut Children, args: &Args, port: u16) -> Result<String, String> {
    let folder = fs::canonicalize(&args.folder).map_err(|e| e.to_string())?;
    let acl = fs::canonicalize("configs/mosquitto.acl").map_err(|e| format!("configs/mosquitto.acl: {e}"))?;
    let text =
        fs::read_to_string("configs/mosquitto.conf").map_err(|e| format!("configs/mosquitto.conf: {e}"))?;
    let passwords = folder.join("mosquitto.passwd");
    let password = random_hex()?;
    fs::write(&passwords, format!("vigia:{password}\n"))
        .map_err(|e| format!("{}: {e}", passwords.display()))?;
    // -U hashes the file in place: a password on the command line could be read by anybody.
    let made = Command::new("mosquitto_passwd").arg("-U").arg(&passwords).output();
    if !made.is_ok_and(|o| o.status.success()) {
        return Err("mosquitto_passwd failed: is mosquitto installed?".into());
    }
    let text = text
        .replace("listener 1883", &format!("listener {port}"))
        .replace("password_file mosquitto.passwd", &format!("password_file {}", passwords.display()))
        .replace("acl_file mosquitto.acl", &format!("acl_file {}", acl.display()));
    // As root, mosquitto would drop to a user that may not read our files.
    let text = format!("{text}user root\n");
    let conf = folder.join("mosquitto.conf");
    fs::write(&conf, text).map_err(|e| format!("{}: {e}", conf.display()))?;
    let log = fs::File::create(folder.join("mosquitto.log")).map_err(|e| e.to_string())?;
    children.spawn(
        "mosquitto",
        Command::new(mosquitto()).arg("-c").arg(&conf).stdout(Stdio::null()).stderr(log),
    )?;
    Ok(password)
}

/// Debian keeps it out of a user's PATH.
fn mosquitto() -> &'static str {
    if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" }
}

fn random_hex() -> Result<String, String> {
    let mut bytes = [0; 16];
    let mut file = fs::File::open("/dev/urandom").map_err(|e| e.to_string())?;
    io::Read::read_exact(&mut file, &mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    listener.local_addr().map(|a| a.port()).map_err(|e| e.to_string())
}

fn site(args: &Args, port: u16, urls: &[String]) -> Result<PathBuf, String> {
    let mut text = format!(
        "instance_id: demo\nmqtt: {{ host: 127.0.0.1, port: {port} }}\nmetrics: {{ interval_s: 2 }}\n\
         detector: {{ model: {}, models_dir: {} }}\n\
         stream_defaults: {{ max_fps: 5, tracker: bytetrack }}\nstreams:\n",
        args.model,
        args.models_dir.display()
    );
    for (room, url) in urls.iter().enumerate() {
        text.push_str(&format!("  - {{ source_id: {room}, uri: \"{url}\" }}\n"));
    }
    let path = args.folder.join("site.yaml");
    fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}
