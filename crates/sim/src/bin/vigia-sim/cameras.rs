//! `vigia-sim rtsp`: cameras over RTSP.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    sync::mpsc::{self, Sender},
    thread,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use vigia_sim::{Camera, RtspServer};

use crate::Failure;

#[derive(Debug, clap::Args)]
pub struct Rtsp {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8554")]
    listen: SocketAddr,
    /// MOUNT=FILE, MOUNT=pattern:WIDTHxHEIGHT@FPS[:h264|h265|mjpeg][:ball|bars|snow][:gop=N] or
    /// MOUNT=scene:SEED:fire|friends|quiet[:cam=N][:place=NAME][:WIDTHxHEIGHT@FPS][:CODEC][:gop=N]
    #[arg(long = "camera", value_name = "MOUNT=SPEC", required = true)]
    cameras: Vec<String>,
    /// The login that every camera asks for.
    #[arg(long, value_name = "USER:PASSWORD")]
    login: Option<String>,
    /// Serve rtsps:// with a self-signed certificate.
    #[arg(long)]
    tls: bool,
    /// Stop when standard input ends, so that the cameras don't outlive the test that wants them.
    #[arg(long)]
    until_stdin_closes: bool,
}

pub fn serve(args: &Rtsp) -> Result<(), Failure> {
    let (stop, stopped) = mpsc::channel();
    stop_on_signal(stop.clone())?;
    let cameras = args.cameras.iter().map(|arg| read_camera(arg, args.login.as_deref()));
    let cameras = cameras.collect::<Result<Vec<_>, _>>()?;
    let server = match args.tls {
        true => RtspServer::start_tls(args.listen)?,
        false => RtspServer::start_on(args.listen)?,
    };
    let mut lines = String::new();
    for (mount, camera) in cameras {
        let mount = server.add(mount, camera)?;
        lines += &format!("ready {}\n", mount.url());
    }
    let mut out = io::stdout();
    out.write_all(lines.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)?;
    if args.until_stdin_closes {
        stop_on_end_of_input(stop.clone())?;
    }
    // `stop` is still here, so this can only be a message.
    stopped.recv().ok();
    drop((server, stop));
    Ok(())
}

fn read_camera<'a>(arg: &'a str, login: Option<&str>) -> Result<(&'a str, Camera), Failure> {
    let (mount, spec) = arg.split_once('=').ok_or_else(|| Failure::NoSpec(arg.to_owned()))?;
    let camera: Camera = spec.parse()?;
    let Some(login) = login else { return Ok((mount, camera)) };
    let (user, password) = login.split_once(':').ok_or_else(|| Failure::BadLogin(login.to_owned()))?;
    Ok((mount, camera.with_login(user, password)))
}

fn stop_on_signal(stop: Sender<()>) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Failure::Signals)?;
    // Whoever doesn't listen any more is stopping already; so below.
    let wait = move || signals.forever().for_each(|_| stop.send(()).unwrap_or_default());
    thread::Builder::new().spawn(wait).map_err(Failure::Thread)?;
    Ok(())
}

fn stop_on_end_of_input(stop: Sender<()>) -> Result<(), Failure> {
    let wait = move || {
        // An input that can't be read has ended, too.
        io::stdin().lock().read_to_end(&mut Vec::new()).ok();
        stop.send(()).ok();
    };
    thread::Builder::new().spawn(wait).map_err(Failure::Thread)?;
    Ok(())
}
