//! `vigia model`: import, list, inspect.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use vigia_core::detection::head::Head;

use super::Failure;
use crate::detect::import::{self, Wishes};
use crate::detect::manifest::{self, Manifest};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check an ONNX file, run it once, and take it into the models folder
    Import {
        file: PathBuf,
        #[arg(long, value_name = "DIR", default_value = "models")]
        models_dir: PathBuf,
        /// Name of the model [default: the file's]
        #[arg(long)]
        id: Option<String>,
        /// yolov5, yolov8, end2end, yolox or rtdetr [default: from the output's shape]
        #[arg(long)]
        head: Option<String>,
        /// WIDTHxHEIGHT, for a graph with a dynamic input
        #[arg(long, value_name = "WxH")]
        input_size: Option<String>,
        /// Class names, comma separated [default: from the file's metadata]
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        classes: Option<Vec<String>>,
        /// SPDX name of its licence
        #[arg(long)]
        licence: Option<String>,
        /// Where it comes from
        #[arg(long)]
        source: Option<String>,
        /// Folder of libopenvino_c.so
        #[arg(long, value_name = "DIR")]
        openvino_dir: Option<PathBuf>,
    },
    /// The models of a folder, and whether their files are whole
    List {
        #[arg(long, value_name = "DIR", default_value = "models")]
        models_dir: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// What an ONNX file or a manifest says of itself
    Inspect { file: PathBuf },
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Import {
            file, models_dir, id, head, input_size, classes, licence, source, openvino_dir,
        } => {
            let head = head.map(|h| parse_head(&h)).transpose()?;
            let size = input_size.map(|s| parse_size(&s)).transpose()?;
            let wishes = Wishes { id, head, size, classes, licence, source, openvino_dir };
            take_in(&file, &wishes, &models_dir)
        }
        Command::List { models_dir, json } => list(&models_dir, json),
        Command::Inspect { file } => inspect(&file),
    }
}

fn parse_head(text: &str) -> Result<Head, Failure> {
    serde_json::from_value(json!(text)).map_err(|_| {
        Failure::Usage(format!("--head {text}: yolov5, yolov8, end2end, yolox or rtdetr is expected"))
    })
}

fn parse_size(text: &str) -> Result<(u32, u32), Failure> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides.ok_or_else(|| Failure::Usage(format!("--input-size {text}: WIDTHxHEIGHT is expected, as in 640x640")))
}

fn take_in(file: &std::path::Path, wishes: &Wishes, dir: &std::path::Path) -> Result<(), Failure> {
    let bar = ProgressBar::new(4);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    let manifest = import::examine(file, wishes, |step| {
        bar.set_message(step.to_owned());
        bar.inc(1);
    })
    .map_err(Failure::usage)?;
    bar.set_message("storing it");
    bar.inc(1);
    let yaml = import::store(file, &manifest, dir).map_err(Failure::failed)?;
    bar.finish_and_clear();
    let Manifest { id, head, input, classes, .. } = &manifest;
    println!("{id}: {head:?}, {}x{}, {} classes -> {}", input.width, input.height, classes.len(), yaml.display());
    Ok(())
}

fn list(dir: &std::path::Path, as_json: bool) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for (id, path) in manifest::list(dir) {
        let state = match manifest::locate(dir, &id) {
            Ok(found) => {
                let m = found.manifest;
                let input = format!("{}x{}", m.input.width, m.input.height);
                json!({ "id": id, "head": m.head, "input": input, "classes": m.classes.len(), "licence": m.licence })
            }
            Err(e) => json!({ "id": id, "error": e.to_string(), "manifest": path }),
        };
        rows.push(state);
    }
    if as_json {
        println!("{:#}", json!(rows));
        return Ok(());
    }
    for row in &rows {
        let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
        match row["error"].as_str() {
            Some(error) => println!("{:24} BROKEN: {error}", text("id")),
            None => println!(
                "{:24} {:9} {:10} {:>4} classes  {}",
                text("id"), text("head"), text("input"), row["classes"], text("licence")
            ),
        }
    }
    if rows.is_empty() {
        println!("no models in {}; take one in with `vigia model import FILE.onnx`", dir.display());
    }
    Ok(())
}

fn inspect(file: &std::path::Path) -> Result<(), Failure> {
    let value = if file.extension().is_some_and(|e| e == "yaml") {
        serde_json::to_value(Manifest::read(file).map_err(Failure::usage)?)
    } else {
        serde_json::to_value(import::inspect(file).map_err(Failure::usage)?)
    };
    println!("{:#}", value.map_err(Failure::failed)?);
    Ok(())
}
