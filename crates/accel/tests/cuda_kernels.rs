//! The pre-processing kernel, built for the host, against the CPU's pre-processing and a naive one in f64.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positions in f64")]

#[path = "support/count.rs"]
mod count;
#[path = "support/double.rs"]
mod double;
#[path = "support/picture.rs"]
mod picture;

use std::sync::Arc;

use double::on_double;
use picture::{ONE_BOX, Picture, Prepared, plain, spec, tensors};
use proptest::prelude::*;
use vigia_accel::cuda::{DeviceFormat, DeviceImage, Frame, Gpu, LOOK_SAMPLES, Slot, Source, TextureImage};
use vigia_accel::preprocess::{Align, ChannelOrder, Matrix, Preprocessor, Range, TensorSpec};

/// Grey levels between the kernel and the CPU's integers; the worst seen is 0.06, which is theirs.
const TOLERANCE: f32 = 0.1;
const OF_THE_HOST: [DeviceFormat; 5] =
    [DeviceFormat::Nv12, DeviceFormat::I420, DeviceFormat::Y42b, DeviceFormat::Y444, DeviceFormat::Gray8];
const MATRICES: [Matrix; 3] = [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020];
const RANGES: [Range; 2] = [Range::Limited, Range::Full];
const ALIGNS: [Align; 3] = [Align::TopLeft, Align::Centre, Align::Stretch];

fn compare(what: &str, spec: &TensorSpec, given: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(given.len(), expected.len());
    let plane = spec.width as usize * spec.height as usize;
    for (at, (g, e)) in given.iter().zip(expected).enumerate() {
        let (channel, y, x) = (at / plane, at % plane / spec.width as usize, at % spec.width as usize);
        let grey = (g - e) / spec.scale[channel % 3];

        assert!(grey.abs() <= tolerance, "{what}: channel {channel} at ({x}, {y}): {g}, expected {e}");
    }
}

fn on_cpu(picture: &Picture, spec: &TensorSpec) -> Vec<f32> {
    let mut pre = Preprocessor::new(*spec).expect("a possible tensor");
    let mut out = vec![f32::NAN; pre.out_len()];
    pre.run(&picture.image(), &mut out).expect("it fits");
    out
}

fn check(gpu: &Arc<Gpu>, picture: &Picture, spec: &TensorSpec) {
    let given = tensors(gpu, *spec, &[picture.upload(gpu)]).expect("it runs");
    compare(&format!("{:?}", picture.layout), spec, &given, &on_cpu(picture, spec), TOLERANCE);
}

/// Red, green and blue of one pixel, clamped but not rounded, for the formats that the host does not know.
fn rgb(p: &Picture, x: usize, y: usize) -> [f64; 3] {
    let (l, at) = (&p.layout, |plane: usize, row: usize, byte: usize| {
        p.layout.offsets[plane] + row * p.layout.pitches[plane] + byte
    });
    let byte = |i: usize| f64::from(p.bytes[i]);
    let pixel = at(0, y, 4 * x);
    match l.format {
        DeviceFormat::Rgbx => return [byte(pixel), byte(pixel + 1), byte(pixel + 2)],
        DeviceFormat::Bgrx => return [byte(pixel + 2), byte(pixel + 1), byte(pixel)],
        _ => assert_eq!(l.format, DeviceFormat::P010),
    }
    // Ten bits; the six below them are not zero in noise and count as a fraction, as in 16-bit video.
    let ten = |i: usize| f64::from(u16::from_le_bytes([p.bytes[i], p.bytes[i + 1]])) / 64.0;
    let (luma, u) = (ten(at(0, y, 2 * x)), ten(at(1, y / 2, x / 2 * 4)));
    let v = ten(at(1, y / 2, x / 2 * 4 + 2));
    let (y, u, v) = match l.range {
        Range::Limited => ((luma - 64.0) / 876.0, (u - 512.0) / 896.0, (v - 512.0) / 896.0),
        Range::Full => (luma / 1023.0, (u - 512.0) / 1023.0, (v - 512.0) / 1023.0),
    };
    let (kr, kb) = match l.matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
    };
    let (red, blue) = (y + 2.0 * (1.0 - kr) * v, y + 2.0 * (1.0 - kb) * u);
    let green = (y - kr * red - kb * blue) / (1.0 - kr - kb);
    [red, green, blue].map(|value| (value * 255.0).clamp(0.0, 255.0))
}

/// The tensor of a stretched picture in grey levels.
fn stretched(p: &Picture, spec: &TensorSpec) -> Vec<f32> {
    assert_eq!(spec.align, Align::Stretch);
    let taps = |position: u32, source: u32, resized: u32| {
        let at = (f64::from(position) + 0.5) * f64::from(source) / f64::from(resized) - 0.5;
        let at = at.clamp(0.0, f64::from(source - 1));
        (at as usize, (at as usize + 1).min(source as usize - 1), at.fract())
    };
    let mut out = vec![0.0; 3 * spec.width as usize * spec.height as usize];
    for y in 0..spec.height {
        let (y0, y1, down) = taps(y, p.layout.height, spec.height);
        for x in 0..spec.width {
            let (x0, x1, right) = taps(x, p.layout.width, spec.width);
            let corners = [rgb(p, x0, y0), rgb(p, x1, y0), rgb(p, x0, y1), rgb(p, x1, y1)];
            for channel in 0..3 {
                let colour = if spec.order == ChannelOrder::Bgr { 2 - channel } else { channel };
                let [a, b, c, d] = corners.map(|corner| corner[colour]);
                let (above, below) = (a + (b - a) * right, c + (d - c) * right);
                let row = (channel * spec.height as usize + y as usize) * spec.width as usize;
                out[row + x as usize] = (above + (below - above) * down) as f32;
            }
        }
    }
    out
}

#[test]
fn frames_match_the_cpu() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let sizes = [(1, 1), (2, 2), (3, 5), (17, 9), (64, 48), (100, 30), (2, 300), (7680, 2), (33, 65)];
        let tensors = [(1, 1), (8, 8), (13, 29), (64, 64), (150, 40)];
        for format in OF_THE_HOST {
            for (index, &size) in sizes.iter().enumerate() {
                for (seed, &tensor) in (0..).zip(&tensors) {
                    let (matrix, range) = (MATRICES[index % 3], RANGES[index / 3 % 2]);
                    let picture = Picture::noise(format, size, matrix, range, seed);
                    let picture = picture.padded(index % 4, index % 6, seed);
                    check(&gpu, &picture, &plain(tensor.0, tensor.1, ALIGNS[index % 3]));
                }
            }
        }
    });
}

#[test]
fn real_sizes_match_the_cpu() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        for (format, size, tensor, align, range) in [
            (DeviceFormat::Nv12, (1920, 1080), (640, 640), Align::Centre, Range::Limited),
            (DeviceFormat::Nv12, (1280, 720), (640, 384), Align::Centre, Range::Limited),
            (DeviceFormat::Nv12, (2592, 1944), (416, 416), Align::TopLeft, Range::Full),
            (DeviceFormat::I420, (768, 432), (416, 416), Align::TopLeft, Range::Limited),
            (DeviceFormat::I420, (351, 289), (640, 640), Align::Stretch, Range::Full),
        ] {
            let picture = Picture::noise(format, size, Matrix::Bt709, range, 7).padded(0, 64, 7);
            check(&gpu, &picture, &plain(tensor.0, tensor.1, align));
        }
    });
}

#[test]
fn deep_and_packed_formats_match_the_formulas() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        for format in [DeviceFormat::P010, DeviceFormat::Rgbx, DeviceFormat::Bgrx] {
            for (index, size) in [(1, 1), (3, 5), (17, 9), (64, 48), (101, 31)].into_iter().enumerate() {
                for order in [ChannelOrder::Rgb, ChannelOrder::Bgr] {
                    let (matrix, range) = (MATRICES[index % 3], RANGES[index % 2]);
                    let picture = Picture::noise(format, size, matrix, range, 3).padded(2 * index, 6, 3);
                    let spec = TensorSpec { order, ..plain(40, 28, Align::Stretch) };
                    let given = tensors(&gpu, spec, &[picture.upload(&gpu)]).expect("it runs");
                    compare(&format!("{format:?}"), &spec, &given, &stretched(&picture, &spec), 0.01);
                }
            }
        }
    });
}

/// What is read texel by texel from an array is bit for bit what is read from rows.
#[test]
fn textures_give_the_same_bits() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        for format in [DeviceFormat::Nv12, DeviceFormat::P010] {
            for size in [(1, 1), (3, 5), (64, 48), (99, 31), (320, 180)] {
                let picture = Picture::noise(format, size, Matrix::Bt709, Range::Limited, 5);
                let texture = TextureImage::new(&gpu, picture.layout, &picture.bytes).expect("it is NV12");
                let texture = Arc::new(texture).image();
                let spec = plain(70, 44, Align::Centre);
                let [rows, texels] = [picture.upload(&gpu), texture]
                    .map(|image| tensors(&gpu, spec, &[image]).expect("it runs"));
                assert!(rows == texels, "{format:?} {size:?}");
            }
        }
        assert_eq!(count::count("live:array") + count::count("live:texture"), 0, "nothing stays");
    });
}

#[test]
fn order_scale_and_offset_are_per_channel() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let picture = Picture::noise(DeviceFormat::Nv12, (40, 40), Matrix::Bt601, Range::Limited, 3);
        let (scale, offset) = ([1.0 / 255.0, -2.0, 0.017], [0.0, 100.0, -2.1]);
        let spec = TensorSpec { order: ChannelOrder::Bgr, scale, offset, ..plain(30, 20, Align::Centre) };
        check(&gpu, &picture, &spec);
    });
}

/// The samples by which vigia knows whether a camera sees are those that it takes from a frame of the host.
#[test]
fn looks_are_those_of_the_luma() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let look = |image: &DeviceImage| {
            let spec = spec(plain(8, 8, Align::Centre), false, 2, ONE_BOX);
            let mut slot = Slot::new(&gpu, spec, Prepared(vec![])).expect("it fits");
            let frame = Frame { source: Source::Device(image), floor: 0.5 };
            slot.begin(&[frame; 2]).expect("it starts");
            let batch = slot.wait().expect("it runs");
            assert_eq!(batch.look(0), batch.look(1));
            batch.look(0).to_vec()
        };
        use DeviceFormat::{Bgrx, Gray8, I420, Nv12, P010, Rgbx};
        for (format, bytes) in [(Nv12, 1), (I420, 1), (Gray8, 1), (P010, 2), (Rgbx, 4), (Bgrx, 4)] {
            for size in [(1, 1), (31, 17), (33, 65), (640, 360), (1921, 1081)] {
                let picture =
                    Picture::noise(format, size, Matrix::Bt601, Range::Limited, 6).padded(3 * bytes, 6, 6);
                let (width, height) = (size.0 as usize, size.1 as usize);
                let sample = |at: usize| {
                    let (x, y) = ((2 * (at % 32) + 1) * width / 64, (2 * (at / 32) + 1) * height / 36);
                    let at = picture.layout.offsets[0] + y * picture.layout.pitches[0] + x * bytes;
                    let pixel = &picture.bytes[at..at + bytes];
                    if bytes == 4 {
                        (pixel[..3].iter().map(|b| u16::from(*b)).sum::<u16>() / 3) as u8
                    } else {
                        pixel[bytes - 1]
                    }
                };
                let expected: Vec<_> = (0..LOOK_SAMPLES).map(sample).collect();
                assert!(look(&picture.upload(&gpu)) == expected, "{format:?} {size:?}");
                if matches!(format, Nv12 | P010) {
                    let texture =
                        TextureImage::new(&gpu, picture.layout, &picture.bytes).expect("it is NV12");
                    assert!(look(&Arc::new(texture).image()) == expected, "{format:?} {size:?} as a texture");
                }
            }
        }
    });
}

/// One batch of different cameras: each image goes to its own tensor.
#[test]
fn a_batch_mixes_cameras() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let pictures = [
            (DeviceFormat::Nv12, (64, 36)),
            (DeviceFormat::I420, (33, 77)),
            (DeviceFormat::Gray8, (128, 128)),
            (DeviceFormat::Y444, (20, 10)),
        ]
        .map(|(format, size)| Picture::noise(format, size, Matrix::Bt601, Range::Full, 9));
        let spec = plain(48, 32, Align::Centre);
        let images = pictures.each_ref().map(|p| p.upload(&gpu));
        let given = tensors(&gpu, spec, &images).expect("it runs");
        for (picture, given) in pictures.iter().zip(given.chunks(given.len() / 4)) {
            compare("a batch", &spec, given, &on_cpu(picture, &spec), TOLERANCE);
        }
    });
}

/// Half floats are the nearest to what single floats are, and frames of the host come out as those of the device.
#[test]
fn half_tensors_round_to_nearest_and_uploads_are_the_same() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let picture = Picture::noise(DeviceFormat::I420, (123, 45), Matrix::Bt709, Range::Limited, 4);
        let tensor = TensorSpec { scale: [1.0 / 255.0; 3], ..plain(62, 50, Align::Centre) };
        let single = tensors(&gpu, tensor, &[picture.upload(&gpu)]).expect("it runs");
        let mut slot = Slot::new(&gpu, spec(tensor, true, 1, ONE_BOX), Prepared(vec![])).expect("it fits");
        slot.begin(&[Frame { source: Source::Host(&picture.image()), floor: 0.5 }]).expect("it starts");
        slot.wait().expect("it runs");
        let mut bytes = vec![0; 2 * single.len()];
        slot.read_input(&mut bytes).expect("it has the size");
        for (half, single) in bytes.as_chunks().0.iter().zip(single) {
            let half = widen(u16::from_le_bytes(*half));
            // Half a step of eleven bits; below 2^-14 steps get no smaller.
            let half_step = (single.abs() / 2048.0).max(2f32.powi(-25));
            assert!((half - single).abs() <= half_step, "{half} {single}");
        }
    });
}

/// A half float from 0 on.
fn widen(half: u16) -> f32 {
    let (exponent, mantissa) = (i32::from(half >> 10), f32::from(half & 1023));
    if exponent == 0 { mantissa * 2f32.powi(-24) } else { (1024.0 + mantissa) * 2f32.powi(exponent - 25) }
}

#[test]
fn any_geometry_matches_the_cpu() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        proptest!(|(
            format in prop::sample::select(&OF_THE_HOST),
            matrix in prop::sample::select(&MATRICES),
            range in prop::sample::select(&RANGES),
            size in (1..90_u32, 1..90_u32),
            tensor in (1..70_u32, 1..70_u32),
            padding in (0..9_usize, 0..20_usize),
            align in prop::sample::select(&ALIGNS),
            seed: u32,
        )| {
            let picture = Picture::noise(format, size, matrix, range, seed).padded(padding.0, padding.1, seed);
            check(&gpu, &picture, &plain(tensor.0, tensor.1, align));
        });
    });
}
