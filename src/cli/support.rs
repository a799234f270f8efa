//! `vigia support-bundle`: what somebody elsewhere needs to help.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::Failure;
use crate::support::{bundle, request, secret_files};
use crate::update::Places;

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Where to write it; it must not be there yet
    #[arg(value_name = "FILE.tar.gz", required_unless_present = "requested")]
    file: Option<PathBuf>,
    /// As vigia left a wish for it: for the unit vigia-support.service
    #[arg(long, hide = true, conflicts_with = "file")]
    requested: bool,
    /// The site's file [default: that of the box]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The board's file [default: that of the box]
    #[arg(long, value_name = "FILE")]
    board: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let places = Places::from_environment();
    let Some(out) = &args.file else {
        return request::carry_out(&places).map_err(Failure::failed);
    };
    let site = args.config.clone().unwrap_or_else(|| places.at("etc/vigia/site.yaml"));
    let board = args.board.clone().unwrap_or_else(|| places.at("etc/vigia/board.yaml"));
    let secrets = secret_files(&site);
    let secrets: Vec<&std::path::Path> = secrets.iter().map(PathBuf::as_path).collect();
    let wrong = |e: std::io::Error| Failure::Failed(format!("{}: {e}", out.display()));
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(out);
    let file = file.map_err(wrong)?;
    bundle(&file, &places, Some(&board), &site, &secrets).and_then(|()| file.sync_all()).map_err(wrong)?;
    super::print(&format!("{}: without passwords and keys; look into it before you send it", out.display()))
}
