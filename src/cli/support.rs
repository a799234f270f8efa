//! `vigia support-bundle`: what somebody elsewhere needs to help.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::Failure;
use crate::support::bundle;
use crate::update::Places;

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Where to write it; it must not be there yet
    #[arg(value_name = "FILE.tar.gz")]
    file: PathBuf,
    /// The site's file [default: that of the box]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The board's file [default: that of the box]
    #[arg(long, value_name = "FILE")]
    board: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let places = Places::from_environment();
    let site = args.config.clone().unwrap_or_else(|| places.at("etc/vigia/site.yaml"));
    let board = args.board.clone().unwrap_or_else(|| places.at("etc/vigia/board.yaml"));
    let dir = site.parent().map(PathBuf::from).unwrap_or_default();
    let secrets = [dir.join("secrets.yaml"), dir.join("mqtt-password"), dir.join("vigia.env")];
    let secrets: Vec<&std::path::Path> = secrets.iter().map(PathBuf::as_path).collect();
    let wrong = |e: std::io::Error| Failure::Failed(format!("{}: {e}", args.file.display()));
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.file);
    let file = file.map_err(wrong)?;
    bundle(&file, &places, Some(&board), &site, &secrets).and_then(|()| file.sync_all()).map_err(wrong)?;
    super::print(&format!(
        "{}: without passwords and keys; look into it before you send it",
        args.file.display()
    ))
}
