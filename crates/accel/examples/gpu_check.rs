//! Checks the kernels on this machine's GPU against the CPU, measures them, and looks for leaks: `make gpu-check`.
//!
//! `gpu_check [--insist] [--frames N] [--json FILE]`: without a GPU it says so and ends well, unless `--insist`. On the
//! double of the tests everything but the figures is done.

use std::error::Error;
use std::sync::Arc;

use vigia_accel::cuda::measure::{copy_bandwidth, is_real, letterbox_bytes, letterbox_ms};
use vigia_accel::cuda::{
    CudaError, DeviceBuffer, DeviceFormat, DeviceImage, DeviceLayout, Enqueue, Frame, Gpu, HeadFamily,
    HeadSpec, OutputSpec, Slot, SlotSpec, Source, Stage, TextureImage, Wait, Warm,
};
use vigia_accel::preprocess::{
    Align, ChannelOrder, Image, Matrix, PixelFormat, Preprocessor, Range, TensorSpec,
};

type Answer<T = ()> = Result<T, Box<dyn Error>>;

/// Grey levels between kernel and CPU; one step of 8 bit is what the issue allows.
const STEP: f32 = 1.0;
const FRAMES: usize = 10_000;

#[allow(dead_code, reason = "the test calls `run`")]
fn main() -> Answer {
    let report = run(std::env::args().skip(1))?;
    if report.failures == 0 { Ok(()) } else { Err(format!("{} checks failed", report.failures).into()) }
}

/// All of it; what was found is printed and returned.
pub fn run(mut args: impl Iterator<Item = String>) -> Answer<Report> {
    let (mut insist, mut frames, mut json) = (false, FRAMES, None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--insist" => insist = true,
            "--frames" => frames = args.next().ok_or("--frames needs a number")?.parse()?,
            "--json" => json = Some(args.next().ok_or("--json needs a file")?),
            other => return Err(format!("{other}: expected --insist, --frames N or --json FILE").into()),
        }
    }
    let mut report = Report::default();
    let gpu = match Gpu::open(0) {
        Ok(gpu) => gpu,
        Err(e) if insist => return Err(e.into()),
        Err(e) => {
            report.say(&format!("skipped: {e}"));
            return Ok(report);
        }
    };
    let p = gpu.properties();
    let (major, minor) = p.capability;
    let cuda = format!("CUDA {}.{}", p.driver / 1000, p.driver % 1000 / 10);
    let multiprocessors = p.multiprocessors;
    report.say(&format!("{}: {major}.{minor}, {multiprocessors} multiprocessors, driver for {cuda}", p.name));
    report.text("device", &p.name);
    report.number("driver", f64::from(p.driver));
    kernels(&gpu, &mut report)?;
    looks_and_halves(&gpu, &mut report)?;
    heads(&gpu, &mut report)?;
    leaks(&gpu, frames, &mut report)?;
    if is_real(&gpu) {
        figures(&gpu, &mut report)?;
    } else {
        report.say("no figures: this is the double of the tests");
    }
    match json {
        Some(path) => std::fs::write(path, report.json())?,
        None => report.say(&report.json()),
    }
    Ok(report)
}

/// What is printed, and written as JSON.
#[derive(Debug, Default)]
pub struct Report {
    pub said: String,
    fields: Vec<String>,
    pub failures: usize,
}

impl Report {
    fn say(&mut self, line: &str) {
        println!("{line}");
        self.said.push_str(line);
        self.said.push('\n');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.fields.push(format!("\"{name}\": \"{}\"", value.escape_default()));
    }

    fn number(&mut self, name: &str, value: f64) {
        self.fields.push(format!("\"{name}\": {value:.4}"));
    }

    fn check(&mut self, name: &str, fine: bool, found: &str) {
        self.say(&format!("{}  {name}: {found}", if fine { "ok    " } else { "FAILED" }));
        self.fields.push(format!("\"{name}\": {fine}"));
        self.failures += usize::from(!fine);
    }

    fn json(&self) -> String {
        format!("{{\n  {}\n}}\n", self.fields.join(",\n  "))
    }
}

/// A frame of noise and its bytes.
struct Picture {
    layout: DeviceLayout,
    bytes: Vec<u8>,
}

impl Picture {
    fn new(format: DeviceFormat, size: (u32, u32), matrix: Matrix, range: Range, align: usize) -> Self {
        let layout = DeviceLayout::packed(format, size, matrix, range, align);
        let mut state = size.0;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        });
        Picture { layout, bytes: noise.take(layout.bytes()).collect() }
    }

    fn upload(&self, gpu: &Arc<Gpu>) -> Result<DeviceImage, CudaError> {
        let mut buffer = DeviceBuffer::new(gpu, self.bytes.len(), "a picture")?;
        buffer.write(&self.bytes)?;
        Ok(DeviceImage::new(self.layout, Arc::new(buffer))?)
    }

    fn on_cpu(&self, format: PixelFormat, spec: &TensorSpec) -> Answer<Vec<f32>> {
        let l = &self.layout;
        let planes = std::array::from_fn(|p| &self.bytes[l.offsets[p].min(self.bytes.len())..]);
        let image = Image::new(format, l.width, l.height, l.matrix, l.range, planes, l.pitches)?;
        let mut pre = Preprocessor::new(*spec)?;
        let mut out = vec![0.0; pre.out_len()];
        pre.run(&image, &mut out)?;
        Ok(out)
    }
}

/// Gives what was prepared.
struct Prepared(Vec<DeviceBuffer<u8>>);

impl Enqueue for Prepared {
    fn prepare(&mut self, _stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    fn enqueue(&mut self, stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        for (at, from) in self.0.iter().enumerate() {
            stage.copy_to_output(at, from.bytes(), from)?;
        }
        Ok(())
    }
}

fn tensor(width: u32, height: u32, align: Align) -> TensorSpec {
    let (scale, offset) = ([1.0; 3], [0.0; 3]);
    TensorSpec { width, height, align, order: ChannelOrder::Rgb, pad: 114, scale, offset }
}

fn slot(
    gpu: &Arc<Gpu>,
    tensor: TensorSpec,
    head: HeadSpec,
    prepared: Vec<DeviceBuffer<u8>>,
) -> Result<Slot<Prepared>, CudaError> {
    let outputs = head.values().iter().map(|v| OutputSpec { bytes: v * head.value_bytes() }).collect();
    let spec = SlotSpec { tensor, half: false, batch_max: 1, outputs, head, wait: Wait::Blocking };
    Slot::new(gpu, spec, Prepared(prepared))
}

const NO_HEAD: HeadSpec = HeadSpec { family: HeadFamily::Corners, classes: 1, anchors: 1, half: false };

fn on_gpu(gpu: &Arc<Gpu>, image: &DeviceImage, tensor: TensorSpec) -> Answer<Vec<f32>> {
    let mut slot = slot(gpu, tensor, NO_HEAD, vec![])?;
    slot.begin(&[Frame { source: Source::Device(image), floor: 0.5 }])?;
    slot.wait()?;
    let mut bytes = vec![0; 12 * tensor.width as usize * tensor.height as usize];
    slot.read_input(&mut bytes)?;
    Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
}

fn worst(given: &[f32], expected: &[f32]) -> f32 {
    // NaN must not pass as small.
    given
        .iter()
        .zip(expected)
        .map(|(g, e)| (g - e).abs())
        .fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a })
}

fn kernels(gpu: &Arc<Gpu>, report: &mut Report) -> Answer {
    use DeviceFormat::{Bgrx, Gray8, I420, Nv12, P010, Rgbx, Y42b, Y444};
    let hosts = [
        (Nv12, PixelFormat::Nv12),
        (I420, PixelFormat::I420),
        (Y42b, PixelFormat::Y42b),
        (Y444, PixelFormat::Y444),
        (Gray8, PixelFormat::Gray8),
    ];
    let sizes = [(1920, 1080), (1280, 720), (641, 359), (33, 65), (1, 1)];
    let tensors = [(640, 640, Align::Centre), (416, 416, Align::TopLeft), (151, 77, Align::Stretch)];
    for (device, host) in hosts {
        let mut most = 0_f32;
        for (index, size) in sizes.into_iter().enumerate() {
            for range in [Range::Limited, Range::Full] {
                let matrix = [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020][index % 3];
                let picture = Picture::new(device, size, matrix, range, [1, 256, 7][index % 3]);
                let image = picture.upload(gpu)?;
                for (width, height, align) in tensors {
                    let spec = tensor(width, height, align);
                    most = most.max(worst(&on_gpu(gpu, &image, spec)?, &picture.on_cpu(host, &spec)?));
                }
            }
        }
        report.check(&format!("letterbox {device:?}"), most <= STEP, &format!("{most:.3} grey levels"));
    }
    let spec = tensor(320, 320, Align::Centre);
    let plain = Picture::new(Nv12, (642, 358), Matrix::Bt709, Range::Limited, 2);
    let expected = plain.on_cpu(PixelFormat::Nv12, &spec)?;
    // The same colours in ten bits.
    let mut deep = Picture::new(P010, (642, 358), Matrix::Bt709, Range::Limited, 1);
    deep.bytes = plain.bytes.iter().flat_map(|b| [0, *b]).collect();
    let most = worst(&on_gpu(gpu, &deep.upload(gpu)?, spec)?, &expected);
    report.check("letterbox P010", most <= STEP, &format!("{most:.3} grey levels"));
    let grey = Picture::new(Gray8, (642, 358), Matrix::Bt709, Range::Full, 1);
    let expected = grey.on_cpu(PixelFormat::Gray8, &spec)?;
    for format in [Rgbx, Bgrx] {
        let mut packed = Picture::new(format, (642, 358), Matrix::Bt709, Range::Full, 1);
        packed.bytes = grey.bytes.iter().flat_map(|b| [*b, *b, *b, 255 - b]).collect();
        let most = worst(&on_gpu(gpu, &packed.upload(gpu)?, spec)?, &expected);
        report.check(&format!("letterbox {format:?}"), most <= STEP, &format!("{most:.3} grey levels"));
    }
    for picture in [plain, deep] {
        let rows = on_gpu(gpu, &picture.upload(gpu)?, spec)?;
        let texture = Arc::new(TextureImage::new(gpu, picture.layout, &picture.bytes)?);
        let same = rows == on_gpu(gpu, &texture.image(), spec)?;
        let name = format!("texture {:?}", picture.layout.format);
        report.check(&name, same, if same { "the same bits" } else { "other bits than from rows" });
    }
    Ok(())
}

/// As the device reads it; cut, not rounded.
fn bytes_of(value: f32, half: bool) -> Vec<u8> {
    if !half {
        return value.to_le_bytes().to_vec();
    }
    let (bits, exponent) = (value.to_bits(), value.to_bits() >> 23 & 255);
    // Half floats begin at 2^-14.
    let magnitude = if exponent < 113 { 0 } else { ((exponent - 112) << 10) | (bits >> 13 & 1023) };
    u16::try_from(bits >> 16 & 0x8000 | magnitude).unwrap_or(0).to_le_bytes().to_vec()
}

fn buffer_of(gpu: &Arc<Gpu>, values: &[f32], half: bool) -> Result<DeviceBuffer<u8>, CudaError> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| bytes_of(*v, half)).collect();
    let mut buffer = DeviceBuffer::new(gpu, bytes.len(), "an output")?;
    buffer.write(&bytes)?;
    Ok(buffer)
}

/// One box in each family of heads, at the last anchor, in both kinds of floats.
fn heads(gpu: &Arc<Gpu>, report: &mut Report) -> Answer {
    const ANCHORS: usize = 84;
    let spec = tensor(64, 64, Align::Stretch);
    let image = Picture::new(DeviceFormat::Gray8, (64, 64), Matrix::Bt601, Range::Full, 1).upload(gpu)?;
    // There are 84 cells at strides 8, 16 and 32; the last is at (1, 1) of stride 32.
    let centred = [40.0, 24.0, 16.0, 8.0];
    let unit = [0.625, 0.375, 0.25, 0.125];
    // The logit of 0.75.
    let logits = [-9.0, 3_f32.ln()];
    for (family, outputs) in [
        (HeadFamily::Columns, vec![[&centred[..], &[0.25, 0.75]].concat()]),
        (HeadFamily::Rows, vec![[&centred[..], &[1.0, 0.25, 0.75]].concat()]),
        (HeadFamily::Grid, vec![vec![0.25, -0.25, 0.5_f32.ln(), 0.25_f32.ln(), 1.0, 0.25, 0.75]]),
        (HeadFamily::Corners, vec![vec![32.0, 20.0, 48.0, 28.0, 0.75, 1.0]]),
        (HeadFamily::Queries, vec![[&unit[..], &[0.25, 0.75]].concat()]),
        (HeadFamily::Logits, vec![logits.to_vec(), unit.to_vec()]),
    ] {
        for half in [false, true] {
            let mut buffers = Vec::new();
            for row in &outputs {
                // Elsewhere nothing reaches the floor, as a logit neither.
                let mut values =
                    vec![if family == HeadFamily::Logits { -9.0 } else { 0.0 }; row.len() * ANCHORS];
                for (at, value) in row.iter().enumerate() {
                    let columns = family == HeadFamily::Columns;
                    values[if columns { at * ANCHORS + 83 } else { 83 * row.len() + at }] = *value;
                }
                buffers.push(buffer_of(gpu, &values, half)?);
            }
            let head = HeadSpec { family, classes: 2, anchors: 84, half };
            let mut slot = slot(gpu, spec, head, buffers)?;
            slot.begin(&[Frame { source: Source::Device(&image), floor: 0.5 }])?;
            let batch = slot.wait()?;
            let fine = match batch.candidates(0) {
                [c] => {
                    // Cut to half, sizes and logits lose a thousandth.
                    let near = |a: f32, b: f32| (a - b).abs() < if half { 0.05 } else { 1e-3 };
                    let corners =
                        near(c.x1, 32.0) && near(c.y1, 20.0) && near(c.x2, 48.0) && near(c.y2, 28.0);
                    corners && near(c.confidence, 0.75) && c.class_id == 1
                }
                _ => false,
            };
            let name = format!("head {family:?} {}", if half { "f16" } else { "f32" });
            report.check(&name, fine, &format!("{:?}", batch.candidates(0)));
        }
    }
    Ok(())
}

/// Brightness samples, and tensors of half floats, against those of whole ones.
fn looks_and_halves(gpu: &Arc<Gpu>, report: &mut Report) -> Answer {
    let picture = Picture::new(DeviceFormat::Nv12, (641, 359), Matrix::Bt709, Range::Limited, 64);
    let image = picture.upload(gpu)?;
    let spec = TensorSpec { scale: [1.0 / 255.0; 3], ..tensor(320, 320, Align::Centre) };
    let whole = on_gpu(gpu, &image, spec)?;
    let outputs = vec![OutputSpec { bytes: 24 }];
    let spec =
        SlotSpec { tensor: spec, half: true, batch_max: 1, outputs, head: NO_HEAD, wait: Wait::Blocking };
    let mut slot = Slot::new(gpu, spec, Prepared(vec![]))?;
    slot.begin(&[Frame { source: Source::Device(&image), floor: 0.5 }])?;
    let batch = slot.wait()?;
    let sample = |at: usize| {
        let (x, y) = ((2 * (at % 32) + 1) * 641 / 64, (2 * (at / 32) + 1) * 359 / 36);
        picture.bytes[y * picture.layout.pitches[0] + x]
    };
    let wrong = batch.look(0).iter().enumerate().filter(|(at, given)| **given != sample(*at)).count();
    report.check("look", wrong == 0, &format!("{wrong} samples are others"));
    let mut bytes = vec![0; 2 * whole.len()];
    slot.read_input(&mut bytes)?;
    let widen = |h: u16| {
        let (exponent, mantissa) = (i32::from(h >> 10), f32::from(h & 1023));
        if exponent == 0 { mantissa * 2f32.powi(-24) } else { (1024.0 + mantissa) * 2f32.powi(exponent - 25) }
    };
    let halves: Vec<f32> = bytes.as_chunks().0.iter().map(|b| widen(u16::from_le_bytes(*b))).collect();
    let most = worst(&halves, &whole);
    // Half a step of eleven bits below one.
    report.check("letterbox f16", most <= 1.0 / 4096.0 + 1e-6, &format!("{most:.6} of 1"));
    Ok(())
}

/// Two slots in turn, as the detector has them; device memory must be what it was.
fn leaks(gpu: &Arc<Gpu>, frames: usize, report: &mut Report) -> Answer {
    let spec = tensor(64, 64, Align::Centre);
    let image =
        Picture::new(DeviceFormat::Nv12, (320, 180), Matrix::Bt709, Range::Limited, 64).upload(gpu)?;
    let mut slots = [slot(gpu, spec, NO_HEAD, vec![])?, slot(gpu, spec, NO_HEAD, vec![])?];
    let frame = [Frame { source: Source::Device(&image), floor: 0.5 }];
    let warm = slots[0].warm(1)?;
    slots[1].warm(1)?;
    report.check("captured as a graph", warm == Warm::Graph, &format!("{warm:?}"));
    let mut run = |frames: usize| -> Result<(), CudaError> {
        slots[0].begin(&frame)?;
        for turn in 1..frames {
            slots[turn % 2].begin(&frame)?;
            slots[(turn + 1) % 2].wait()?;
        }
        slots[(frames + 1) % 2].wait().map(|_| ())
    };
    run(100)?;
    let before = gpu.memory()?.free;
    run(frames.max(2))?;
    let after = gpu.memory()?.free;
    let found = format!("{frames} frames, {before} bytes free before, {after} after");
    report.check("no leak", after >= before, &found);
    Ok(())
}

fn figures(gpu: &Arc<Gpu>, report: &mut Report) -> Answer {
    const IMAGES: usize = 32;
    let copy = copy_bandwidth(gpu, 256 << 20)?;
    report.say(&format!("copy within the device: {:.0} GB/s read and written", copy / 1e9));
    report.number("copy_gb_s", copy / 1e9);
    report.say("pre-processing 1920x1080 NV12 to 640x640:");
    report.say("tensor  memory   batch   ms/batch  us/frame   GB/s   of copy");
    let spec = TensorSpec { scale: [1.0 / 255.0; 3], ..tensor(640, 640, Align::Centre) };
    let picture = Picture::new(DeviceFormat::Nv12, (1920, 1080), Matrix::Bt709, Range::Limited, 256);
    let rows = (0..IMAGES).map(|_| picture.upload(gpu)).collect::<Result<Vec<_>, _>>()?;
    let texture =
        |_| Ok::<_, CudaError>(Arc::new(TextureImage::new(gpu, picture.layout, &picture.bytes)?).image());
    let textures = (0..IMAGES).map(texture).collect::<Result<Vec<_>, _>>()?;
    for (memory, images) in [("rows", &rows), ("arrays", &textures)] {
        for half in [true, false] {
            for batch in [1, 2, 4, 8, 16, 32] {
                let ms = letterbox_ms(gpu, &spec, half, images, batch)?;
                let bytes = (letterbox_bytes(&picture.layout, &spec, half) * batch) as f64;
                let (rate, float) = (bytes / (ms / 1e3), if half { "f16" } else { "f32" });
                let us = ms * 1e3 / batch as f64;
                let share = 100.0 * rate / copy;
                println!(
                    "{float:<7} {memory:<8} {batch:>5}  {ms:>9.4} {us:>9.2} {:>6.0} {share:>7.0} %",
                    rate / 1e9
                );
                report.number(&format!("{memory}_{float}_{batch}_ms"), ms);
                report.number(&format!("{memory}_{float}_{batch}_share_of_copy"), share / 100.0);
            }
        }
    }
    Ok(())
}
