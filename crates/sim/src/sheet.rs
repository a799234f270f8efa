//! A contact sheet: many scenes in one picture, to look at what the renderer makes.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use crate::crew;
use crate::dataset::DatasetError;
use crate::scene::{Bbox, Class, Frame, Scene};
use crate::stage::Stage;

/// What is in one cell of a sheet.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub stage: Stage,
    /// Seconds from the scene's beginning; if none is given, ten seconds into a fire.
    pub t: Option<f32>,
}

/// A picture in rows of red, green, blue, and a line about each cell.
#[derive(Debug)]
pub struct Sheet {
    pub size: (u32, u32),
    pub rgb: Vec<u8>,
    pub lines: Vec<String>,
}

impl Sheet {
    /// Renders the cells in rows of `columns`; `boxes` draws a frame around each object.
    #[must_use]
    pub fn new(cells: &[Cell], columns: usize, size: (u32, u32), boxes: bool) -> Self {
        let columns = columns.clamp(1, cells.len().max(1));
        let (width, height) = (size.0 as usize, size.1 as usize);
        let row = width * columns * 3;
        let rows = cells.len().div_ceil(columns);
        let mut rgb = vec![0; row * height * rows];
        let mut lines = vec![String::new(); cells.len()];
        let painted = crew::each(
            cells.len(),
            crew::cores(),
            || |n| paint(&cells[n], size, boxes),
            |n, cell| {
                let (pixels, line): (Vec<u8>, String) = cell;
                let corner = (n / columns) * height * row + (n % columns) * width * 3;
                for (y, from) in pixels.chunks_exact(width * 3).enumerate() {
                    rgb[corner + y * row..][..width * 3].copy_from_slice(from);
                }
                lines[n] = line;
                Ok::<_, std::convert::Infallible>(())
            },
        );
        let Ok(()) = painted;
        let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
        Self { size: (side(width * columns), side(height * rows)), rgb, lines }
    }

    /// Writes it as a PNG file.
    ///
    /// # Errors
    /// [`DatasetError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), DatasetError> {
        let failed = |source| DatasetError::Write { path: path.to_owned(), source };
        let file = BufWriter::new(File::create(path).map_err(failed)?);
        let mut encoder = png::Encoder::new(file, self.size.0, self.size.1);
        encoder.set_color(png::ColorType::Rgb);
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&self.rgb));
        written.map_err(|e| failed(e.into()))
    }
}

/// The pixels of a cell and a line about it.
fn paint(cell: &Cell, size: (u32, u32), boxes: bool) -> (Vec<u8>, String) {
    let scene = cell.stage.scene();
    let t = cell.t.unwrap_or_else(|| scene.ignition().unwrap_or(0.0) + 10.0);
    let mut shot = scene.shot(cell.stage.camera, size);
    let frame = shot.frame(t);
    let mut pixels = frame.rgb.clone();
    if boxes {
        frame.ignored.iter().for_each(|b| outline(&mut pixels, frame, b, [150, 150, 150]));
        frame.labels.iter().for_each(|l| outline(&mut pixels, frame, &l.bbox, colour(l.class)));
    }
    (pixels, line(&scene, t, frame))
}

fn line(scene: &Scene, t: f32, frame: &Frame) -> String {
    let objects: Vec<_> = frame.labels.iter().map(|l| l.class.name()).collect();
    format!(
        "seed {} {} {} at {t:.1} s: {} ({} ignored)",
        scene.seed,
        scene.site.place.name(),
        scene.plot.name(),
        if objects.is_empty() { "nothing".to_owned() } else { objects.join(", ") },
        frame.ignored.len(),
    )
}

fn colour(class: Class) -> [u8; 3] {
    match class {
        Class::Fire => [255, 30, 30],
        Class::Smoke => [255, 0, 255],
        Class::Person => [0, 255, 60],
        Class::Vehicle => [0, 200, 255],
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the picture")]
fn outline(pixels: &mut [u8], frame: &Frame, bbox: &Bbox, colour: [u8; 3]) {
    let (width, height) = (frame.width as usize, frame.height as usize);
    let edge = |v: f32, most: usize| (v.max(0.0) as usize).min(most - 1);
    let [x1, x2] = [bbox[0], bbox[2] - 1.0].map(|v| edge(v, width));
    let [y1, y2] = [bbox[1], bbox[3] - 1.0].map(|v| edge(v, height));
    let mut dot = |x: usize, y: usize| pixels[(y * width + x) * 3..][..3].copy_from_slice(&colour);
    (x1..=x2).for_each(|x| [y1, y2].into_iter().for_each(|y| dot(x, y)));
    (y1..=y2).for_each(|y| [x1, x2].into_iter().for_each(|x| dot(x, y)));
}
