//! `make run`: a broker, four RTSP cameras with rendered scenes, vigia watching them with the
//! model that comes with it, the pump program with a simulated plant, and the live view of all that.
//! Needs nothing from outside of the repository. Ends everything it started when the view ends.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use signal_hook::{consts::SIGINT, consts::SIGTERM, iterator::Signals};
use vigia_sim::live::{self, Broker, Children, Folder, Pump, Site};
use vigia_sim::stage::Stage;
use vigia_sim::{Camera, RtspServer, SimError};

/// What the last two cameras show, after a fire from two sides: traffic, and much that looks like
/// fire, with seeds that no model was trained with.
const OTHERS: [&str; 2] =
    ["scene:9000000100:quiet:place=street:640x360@5", "scene:9000000106:friends:place=garage:640x360@5"];
const INSTANCE: &str = "demo";

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
    live::model_is_there(&args.models_dir, &args.model)?;
    let folder = Folder::new(&args.folder)?;
    // The view gets Ctrl-C from the terminal as we do; we only wait for it to end.
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|e| e.to_string())?;
    let (server, urls) = cameras(args)?;
    let mut children = Children::default();
    let broker = Broker::start(&mut children, &folder)?;
    let site = Site {
        instance: INSTANCE,
        model: &args.model,
        models_dir: &args.models_dir,
        urls: &urls,
        fire: fire(args),
    };
    let site = folder.site(&site, &broker)?;
    Pump::start(&mut children, &folder, &site)?;
    folder.vigia(&mut children, &site, &broker)?;
    tell(&broker, &folder);
    let mut view = Command::new(live::program("vigia")?);
    view.args(["watch", "--mqtt-host", "127.0.0.1", "--mqtt-port", &broker.port.to_string()]);
    if let Some(seconds) = args.seconds {
        view.args(["--seconds", &seconds.to_string()]);
    }
    children.spawn("watch", &mut view)?;
    let seen = wait(&mut children, &mut signals);
    drop(children);
    drop(server);
    seen
}

fn tell(broker: &Broker, folder: &Folder) {
    let port = broker.port;
    println!("broker on port {port}; events: mosquitto_sub -h 127.0.0.1 -p {port} -t 'nvr/detections/#' -v");
    println!(
        "fires and the pump: mosquitto_sub -h 127.0.0.1 -p {port} -t 'fire/#' -t 'system/#' -t 'gpio/#' -v"
    );
    println!("logs: {} and pump.log beside it", folder.file("vigia.log").display());
    println!("no water is moved: the plant is simulated; {}", live::NOTICE);
    let _ = io::stdout().flush();
}

/// Waits until the view ends or a signal comes; another child that ends is an error.
fn wait(children: &mut Children, signals: &mut Signals) -> Result<(), String> {
    loop {
        match children.ended()? {
            Some(("watch", status)) if status.success() => return Ok(()),
            Some((name, status)) => {
                return Err(format!("{name} ended with {status}; see the logs in the demo's folder"));
            }
            None => {}
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
        cameras = [0, 1].map(|camera| live::camera(Stage { camera, ..live::FIRE })).to_vec();
        let others = OTHERS.iter().map(|spec| spec.parse());
        cameras.extend(others.collect::<Result<Vec<_>, _>>().map_err(|e: SimError| e.to_string())?);
    }
    let mut urls = Vec::new();
    for (room, camera) in cameras.into_iter().enumerate() {
        let mount = server.add(&live::path(room), camera).map_err(|e| e.to_string())?;
        urls.push(mount.url().to_owned());
    }
    Ok((server, urls))
}

/// Who votes with whom: two cameras at the farm, two in town. Others' cameras vote all together.
fn fire(args: &Args) -> Value {
    if !args.cameras.is_empty() {
        return json!({ "cameras_needed": args.cameras.len().min(2), "confidence": live::CONFIDENCE });
    }
    let camera = |name: &str, room: u32| json!({ "name": name, "source_id": room });
    json!({
        "confidence": live::CONFIDENCE,
        "cameras": [camera("farm 0", 0), camera("farm 1", 1), camera("street", 2), camera("garage", 3)],
        "sectors": [
            { "name": "farm", "cameras": ["farm 0", "farm 1"] },
            { "name": "town", "cameras": ["street", "garage"] },
        ],
    })
}
