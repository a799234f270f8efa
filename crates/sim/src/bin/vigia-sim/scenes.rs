//! `vigia-sim scenes`: data sets, contact sheets and videos.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use vigia_sim::dataset::{self, Dataset};
use vigia_sim::scene::{Plot, Split};
use vigia_sim::sheet::{Cell, Sheet};
use vigia_sim::stage::{self, Stage, Where};
use vigia_sim::{crew, video};

use crate::Failure;

#[derive(Debug, Subcommand)]
pub enum Scenes {
    /// Renders a training set: JPEG files and labels.jsonl.
    Dataset(DatasetArgs),
    /// Renders many scenes into one PNG file.
    Sheet(SheetArgs),
    /// Renders one camera of a scene into an MP4 file.
    Video(VideoArgs),
}

#[derive(Debug, Args)]
pub struct DatasetArgs {
    /// Folder for the files
    #[arg(long)]
    out: PathBuf,
    #[arg(long)]
    images: usize,
    #[arg(long, value_parser = split)]
    split: Split,
    /// Seed of the first scene; each has the next one
    #[arg(long)]
    first_seed: u64,
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x360", value_parser = sides)]
    size: (u32, u32),
    /// As many as there are cores if not said
    #[arg(long)]
    threads: Option<usize>,
}

#[derive(Debug, Args)]
pub struct SheetArgs {
    #[command(flatten)]
    place: Place,
    /// fire, friends or quiet; a mixture as in data sets if not said
    #[arg(long, value_parser = plot)]
    plot: Option<Plot>,
    #[arg(long, default_value_t = 12)]
    count: u32,
    #[arg(long, default_value_t = 0)]
    first_seed: u64,
    #[arg(long, default_value_t = 3)]
    columns: usize,
    /// Of one scene
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x360", value_parser = sides)]
    size: (u32, u32),
    #[arg(long, default_value_t = 0)]
    camera: usize,
    /// Moment in seconds; ten seconds into a fire if not said
    #[arg(long)]
    at: Option<f32>,
    /// Show one scene at moments this many seconds apart instead of many scenes
    #[arg(long)]
    step: Option<f32>,
    /// Frame what is labelled (fire red, smoke magenta, person green, vehicle cyan, ignored grey)
    #[arg(long)]
    boxes: bool,
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub struct VideoArgs {
    #[command(flatten)]
    place: Place,
    #[arg(long, value_parser = plot)]
    plot: Plot,
    #[arg(long)]
    seed: u64,
    #[arg(long, default_value_t = 0)]
    camera: usize,
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: u32,
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x720", value_parser = sides)]
    size: (u32, u32),
    #[arg(long)]
    out: PathBuf,
}

/// Where scenes happen.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Place {
    /// training or held-out: the seed says at which of the places
    #[arg(long, value_parser = split)]
    split: Option<Split>,
    /// At this place
    #[arg(long, value_parser = place)]
    place: Option<vigia_sim::scene::place::Place>,
}

impl Place {
    fn to_where(&self) -> Where {
        match (self.place, self.split) {
            (Some(place), _) => Where::At(place),
            (None, split) => Where::Among(split.unwrap_or(Split::HeldOut)),
        }
    }
}

impl Scenes {
    pub fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Dataset(args) => args.run(),
            Self::Sheet(args) => args.run(),
            Self::Video(args) => args.run(),
        }
    }
}

impl DatasetArgs {
    fn run(&self) -> Result<(), Failure> {
        let Self { images, split, first_seed, size, .. } = *self;
        let set = Dataset { images, split, first_seed, size };
        Ok(set.write(&self.out, self.threads.unwrap_or_else(crew::cores))?)
    }
}

impl SheetArgs {
    fn run(&self) -> Result<(), Failure> {
        let cells: Vec<_> = (0..self.count).map(|n| self.cell(n)).collect();
        let sheet = Sheet::new(&cells, self.columns, self.size, self.boxes);
        sheet.write(&self.out)?;
        sheet.lines.iter().for_each(|line| println!("{line}"));
        Ok(())
    }

    fn cell(&self, n: u32) -> Cell {
        let (seed, t) = match self.step {
            Some(step) => (self.first_seed, Some(self.at.unwrap_or(0.0) + step * n as f32)),
            None => (self.first_seed + u64::from(n), self.at),
        };
        let plot = self.plot.unwrap_or_else(|| dataset::plot_of(seed));
        Cell { stage: Stage { seed, plot, place: self.place.to_where(), camera: self.camera }, t }
    }
}

impl VideoArgs {
    fn run(&self) -> Result<(), Failure> {
        let Self { plot, seed, camera, size, fps, seconds, .. } = *self;
        let stage = Stage { seed, plot, place: self.place.to_where(), camera };
        Ok(video::write(&self.out, &stage, size, fps, seconds * fps)?)
    }
}

fn split(text: &str) -> Result<Split, &'static str> {
    match text {
        "training" => Ok(Split::Training),
        "held-out" => Ok(Split::HeldOut),
        _ => Err("training or held-out is expected"),
    }
}

fn plot(text: &str) -> Result<Plot, &'static str> {
    stage::plot_named(text).ok_or("fire, friends or quiet is expected")
}

fn place(text: &str) -> Result<vigia_sim::scene::place::Place, String> {
    let names = || stage::places().map(|p| p.name()).collect::<Vec<_>>().join(", ");
    stage::place_named(text).ok_or_else(|| format!("one of these is expected: {}", names()))
}

fn sides(text: &str) -> Result<(u32, u32), &'static str> {
    let sides = stage::sides(text).ok_or("WIDTHxHEIGHT is expected")?;
    let fine = |side| (16..=4096).contains(&side) && side % 8 == 0;
    if fine(sides.0) && fine(sides.1) {
        Ok(sides)
    } else {
        Err("sides must be multiples of 8 from 16 to 4096")
    }
}
