//! The simulated world on the command line.
//!
//! - `vigia-sim sim --seed 7`: replays a trial: a whole box under virtual time, from its seed.
//! - `vigia-sim rtsp --camera /live/0=pattern:1280x720@15`: cameras. Prints `ready URL` for each
//!   once all of them can be watched, then serves until SIGINT, SIGTERM or, if asked, the end of
//!   its input.
//! - `vigia-sim scenes`: what the renderer makes of scenes.
//!
//! Every complaint is one sentence; exit code 2 means that the command line asked for something
//! that can't be had.
#![forbid(unsafe_code)]

#[cfg(feature = "world")]
mod cameras;
#[cfg(feature = "world")]
mod scenes;
mod sim;

use std::{io, process::ExitCode};

use clap::{Parser, Subcommand};
#[cfg(feature = "world")]
use vigia_sim::{SimError, dataset::DatasetError};

#[cfg(feature = "world")]
const USAGE: u8 = 2;

#[derive(Debug, Parser)]
#[command(about = "The world vigia is tested in")]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Runs trials: a whole box under virtual time, from a seed.
    Sim(sim::Sim),
    /// Serves cameras over RTSP.
    #[cfg(feature = "world")]
    Rtsp(cameras::Rtsp),
    /// Renders scenes into files.
    #[cfg(feature = "world")]
    #[command(subcommand)]
    Scenes(scenes::Scenes),
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("an invariant is broken; replay it with: vigia-sim sim --seed {seed} --trace")]
    Broken { seed: u64 },
    #[error("cannot write {path}: {source}")]
    File { path: String, source: io::Error },
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
    #[cfg(feature = "world")]
    #[error(transparent)]
    Sim(#[from] SimError),
    #[cfg(feature = "world")]
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[cfg(feature = "world")]
    #[error("camera {0:?} must be MOUNT=SPEC")]
    NoSpec(String),
    #[cfg(feature = "world")]
    #[error("login {0:?} must be USER:PASSWORD")]
    BadLogin(String),
    #[cfg(feature = "world")]
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
    #[cfg(feature = "world")]
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

fn main() -> ExitCode {
    // Clap exits with 2 itself, and prints what it expected.
    let ended = match Args::parse().what {
        What::Sim(what) => what.run(),
        #[cfg(feature = "world")]
        What::Rtsp(args) => cameras::serve(&args),
        #[cfg(feature = "world")]
        What::Scenes(what) => what.run(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("vigia-sim: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

impl Failure {
    /// What the caller could have asked for differently is 2, what broke here is 1.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Broken { .. } | Self::File { .. } | Self::Output(_) => 1,
            #[cfg(feature = "world")]
            Self::NoSpec(_) | Self::BadLogin(_) | Self::Dataset(DatasetError::Other { .. }) => USAGE,
            #[cfg(feature = "world")]
            Self::Sim(SimError::Init(_) | SimError::Thread(_) | SimError::Tls { .. }) => 1,
            #[cfg(feature = "world")]
            Self::Sim(_) => USAGE,
            #[cfg(feature = "world")]
            Self::Dataset(_) | Self::Signals(_) | Self::Thread(_) => 1,
        }
    }
}
