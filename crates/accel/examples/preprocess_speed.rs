//! Median and least time of pre-processing one frame, in milliseconds, on one core.
//!
//! The least is what to compare between versions on a busy machine.
//!
//! `cargo run --release -p vigia-accel --example preprocess_speed`

use std::time::Instant;

use vigia_accel::preprocess::{
    Align, ChannelOrder, Image, Matrix, PixelFormat, Preprocessor, Range, TensorSpec,
};

/// Output buffers in rotation, as with a queue of inference requests.
const BUFFERS: usize = 3;
const FRAMES: usize = 400;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cases = [
        (PixelFormat::Nv12, 1920, 1080, 640),
        (PixelFormat::I420, 1920, 1080, 640),
        (PixelFormat::Nv12, 1920, 1080, 416),
        (PixelFormat::Nv12, 1280, 720, 640),
        (PixelFormat::I420, 768, 432, 640),
        (PixelFormat::I420, 768, 432, 416),
        (PixelFormat::Nv12, 3840, 2160, 640),
        (PixelFormat::I420, 352, 288, 640),
        (PixelFormat::Gray8, 640, 512, 640),
    ];
    println!("format     frame ->  tensor       best kernel   portable kernel");
    for (format, width, height, side) in cases {
        let spec = TensorSpec {
            width: side,
            height: side,
            align: Align::Centre,
            order: ChannelOrder::Rgb,
            pad: 114,
            scale: [1.0 / 255.0; 3],
            offset: [0.0; 3],
        };
        let best = times_ms(Preprocessor::new(spec)?, format, width, height)?;
        let portable = times_ms(Preprocessor::portable(spec)?, format, width, height)?;
        let (format, frame) = (format!("{format:?}"), format!("{width}x{height}"));
        let tensor = format!("{side}x{side}");
        println!("{format:<6} {frame:>9} -> {tensor:>7}  {best:>16}  {portable:>16}");
    }
    Ok(())
}

/// Median and, in brackets, least.
#[expect(clippy::disallowed_methods, reason = "a benchmark times")]
fn times_ms(
    mut preprocessor: Preprocessor,
    format: PixelFormat,
    width: u32,
    height: u32,
) -> Result<String, Box<dyn std::error::Error>> {
    let stride = width as usize;
    let bytes: Vec<u8> = (64..192).cycle().step_by(79).take(stride * height as usize).collect();
    let chroma_stride = if format == PixelFormat::Nv12 { stride } else { stride.div_ceil(2) };
    let chroma = bytes.clone();
    let planes = [&bytes[..], &chroma[..], &chroma[chroma.len() / 2..]];
    let strides = [stride, chroma_stride, chroma_stride];
    let image = Image::new(format, width, height, Matrix::Bt709, Range::Limited, planes, strides)?;
    let mut buffers = vec![vec![0.0; preprocessor.out_len()]; BUFFERS];
    let mut times = Vec::with_capacity(FRAMES);
    for frame in 0..FRAMES {
        let out = &mut buffers[frame % BUFFERS];
        let start = Instant::now();
        preprocessor.run(std::hint::black_box(&image), out)?;
        times.push(start.elapsed());
        std::hint::black_box(out);
    }
    times.sort_unstable();
    let ms = |at: usize| times[at].as_secs_f64() * 1e3;
    Ok(format!("{:.3} ({:.3})", ms(FRAMES / 2), ms(0)))
}
