//! The pre-processor against a naive one in f64, which makes RGB first and resizes then.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the reference computes small positions in f64"
)]

use proptest::prelude::*;

use super::*;

const FORMATS: [PixelFormat; 5] =
    [PixelFormat::Nv12, PixelFormat::I420, PixelFormat::Y42b, PixelFormat::Y444, PixelFormat::Gray8];
const MATRICES: [Matrix; 3] = [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020];
const RANGES: [Range; 2] = [Range::Limited, Range::Full];

/// Grey levels that the result may differ from the reference; the worst seen is 0.06.
const TOLERANCE: f64 = 0.1;

/// A frame that owns its planes, with `garbage` between the rows.
struct Frame {
    format: PixelFormat,
    size: (u32, u32),
    matrix: Matrix,
    range: Range,
    planes: [Vec<u8>; 3],
    strides: [usize; 3],
}

impl Frame {
    /// `sample` gives plane 0, 1 or 2 for Y, U or V.
    fn new(
        format: PixelFormat,
        size: (u32, u32),
        garbage: &[u8],
        mut sample: impl FnMut(usize) -> u8,
    ) -> Self {
        let (width, height) = (size.0 as usize, size.1 as usize);
        let (shift_x, shift_y) = format.chroma_shift();
        let chroma = (width.div_ceil(1 << shift_x), height.div_ceil(1 << shift_y));
        let mut planes = [vec![], vec![], vec![]];
        let mut strides = [0; 3];
        for plane in 0..format.planes() {
            let (samples, rows) = if plane == 0 { (width, height) } else { chroma };
            let interleaved = format == PixelFormat::Nv12 && plane == 1;
            let row = if interleaved { 2 * samples } else { samples };
            strides[plane] = row + garbage.len();
            for _ in 0..rows {
                planes[plane].extend((0..row).map(|x| sample(if interleaved { 1 + x % 2 } else { plane })));
                planes[plane].extend(garbage);
            }
            // Decoders may leave out the padding of the last row.
            planes[plane].truncate(strides[plane] * (rows - 1) + row);
        }
        Frame { format, size, matrix: Matrix::Bt601, range: Range::Limited, planes, strides }
    }

    /// Every colour, so that much is out of gamut.
    fn noise(format: PixelFormat, size: (u32, u32), garbage: &[u8], seed: u32) -> Self {
        let mut state = seed;
        Frame::new(format, size, garbage, |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
    }

    fn image(&self) -> Image<'_> {
        let planes = self.planes.each_ref().map(Vec::as_slice);
        let (width, height) = self.size;
        Image::new(self.format, width, height, self.matrix, self.range, planes, self.strides).unwrap()
    }

    /// Red, green and blue of one pixel, clamped but not rounded.
    fn rgb(&self, x: usize, y: usize) -> [f64; 3] {
        let at =
            |plane: usize, x: usize, y: usize| f64::from(self.planes[plane][y * self.strides[plane] + x]);
        let luma = at(0, x, y);
        let (u, v) = match self.format {
            PixelFormat::Nv12 => (at(1, x / 2 * 2, y / 2), at(1, x / 2 * 2 + 1, y / 2)),
            PixelFormat::I420 => (at(1, x / 2, y / 2), at(2, x / 2, y / 2)),
            PixelFormat::Y42b => (at(1, x / 2, y), at(2, x / 2, y)),
            PixelFormat::Y444 => (at(1, x, y), at(2, x, y)),
            PixelFormat::Gray8 => (128.0, 128.0),
        };
        let (y, u, v) = match self.range {
            Range::Limited => ((luma - 16.0) / 219.0, (u - 128.0) / 224.0, (v - 128.0) / 224.0),
            Range::Full => (luma / 255.0, (u - 128.0) / 255.0, (v - 128.0) / 255.0),
        };
        let (kr, kb) = match self.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let red = y + 2.0 * (1.0 - kr) * v;
        let blue = y + 2.0 * (1.0 - kb) * u;
        let green = (y - kr * red - kb * blue) / (1.0 - kr - kb);
        [red, green, blue].map(|value| (value * 255.0).clamp(0.0, 255.0))
    }

    /// The tensor, in the order of `spec`, before scale and offset.
    fn reference(&self, spec: &TensorSpec, place: &Letterbox) -> Vec<f64> {
        let (width, height) = (spec.width as usize, spec.height as usize);
        let mut out = vec![f64::from(spec.pad); 3 * width * height];
        let taps = |position: u32, source: u32, resized: u32| {
            let at = (f64::from(position) + 0.5) * f64::from(source) / f64::from(resized) - 0.5;
            let at = at.clamp(0.0, f64::from(source - 1));
            (at as usize, (at as usize + 1).min(source as usize - 1), at.fract())
        };
        for y in 0..place.height {
            let (y0, y1, down) = taps(y, self.size.1, place.height);
            for x in 0..place.width {
                let (x0, x1, right) = taps(x, self.size.0, place.width);
                let corners = [self.rgb(x0, y0), self.rgb(x1, y0), self.rgb(x0, y1), self.rgb(x1, y1)];
                for channel in 0..3 {
                    let colour = if spec.order == ChannelOrder::Bgr { 2 - channel } else { channel };
                    let [a, b, c, d] = corners.map(|corner| corner[colour]);
                    let (above, below) = (a + (b - a) * right, c + (d - c) * right);
                    let row = channel * height + (place.top + y) as usize;
                    out[row * width + (place.left + x) as usize] = above + (below - above) * down;
                }
            }
        }
        out
    }
}

fn plain(width: u32, height: u32, align: Align) -> TensorSpec {
    let (scale, offset) = ([1.0; 3], [0.0; 3]);
    TensorSpec { width, height, align, order: ChannelOrder::Rgb, pad: 114, scale, offset }
}

/// Runs both kernels into buffers of old values; they must agree. Gives the best one's.
fn run(frame: &Frame, spec: &TensorSpec) -> (Letterbox, Vec<f32>) {
    let [best, portable] = [Preprocessor::new(*spec), Preprocessor::portable(*spec)].map(|preprocessor| {
        let mut preprocessor = preprocessor.unwrap();
        let mut out = vec![f32::NAN; preprocessor.out_len()];
        let place = preprocessor.run(&frame.image(), &mut out).unwrap();
        (place, out)
    });
    assert_eq!(best.0, portable.0);
    for (at, (a, b)) in best.1.iter().zip(&portable.1).enumerate() {
        assert!((a - b).abs() < 1e-2, "kernels differ at {at}: {a} {b}");
    }
    best
}

fn check(frame: &Frame, spec: &TensorSpec) {
    let (place, out) = run(frame, spec);
    let plane = spec.width as usize * spec.height as usize;
    for (at, (&given, expected)) in out.iter().zip(frame.reference(spec, &place)).enumerate() {
        let channel = at / plane;
        let (scale, offset) = (f64::from(spec.scale[channel]), f64::from(spec.offset[channel]));
        let given = (f64::from(given) - offset) / scale;
        let (y, x) = (at % plane / spec.width as usize, at % spec.width as usize);
        assert!(
            (given - expected).abs() < TOLERANCE,
            "{:?} {:?} {:?} {:?} in {spec:?}, channel {channel} at ({x}, {y}): {given}, expected {expected}",
            frame.format,
            frame.size,
            frame.matrix,
            frame.range,
        );
    }
}

#[test]
fn frames_match_the_reference() {
    let frames = [(1, 1), (2, 2), (3, 5), (17, 9), (64, 48), (100, 30), (2, 300), (7680, 2), (33, 65)];
    let tensors = [(1, 1), (8, 8), (13, 29), (64, 64), (150, 40)];
    for format in FORMATS {
        for (index, &size) in frames.iter().enumerate() {
            for (seed, &tensor) in (0..).zip(&tensors) {
                let garbage = &[255, 0, 255, 0, 255][..index % 6];
                let mut frame = Frame::noise(format, size, garbage, seed);
                check(&frame, &plain(tensor.0, tensor.1, Align::TopLeft));
                check(&frame, &plain(tensor.0, tensor.1, Align::Stretch));
                frame.matrix = MATRICES[index % 3];
                frame.range = RANGES[index / 3 % 2];
                check(&frame, &plain(tensor.0, tensor.1, Align::Centre));
            }
        }
    }
}

#[test]
fn every_matrix_and_range_matches_the_reference() {
    for format in FORMATS {
        for matrix in MATRICES {
            for range in RANGES {
                let frame = Frame::noise(format, (50, 31), &[9, 9], 7);
                check(&Frame { matrix, range, ..frame }, &plain(45, 45, Align::Centre));
            }
        }
    }
}

#[test]
fn real_sizes_match_the_reference() {
    let full = Frame::noise(PixelFormat::Nv12, (1920, 1080), &[], 1);
    check(&full, &plain(640, 640, Align::Centre));
    let sub = Frame::noise(PixelFormat::I420, (768, 432), &[1; 64], 2);
    check(&sub, &plain(640, 640, Align::TopLeft));
    check(&sub, &plain(416, 416, Align::TopLeft));
}

#[test]
fn order_scale_and_offset_are_per_channel() {
    let frame = Frame::noise(PixelFormat::Y444, (40, 40), &[], 3);
    let scale = [1.0 / 255.0, -2.0, 0.017];
    let offset = [0.0, 100.0, -2.1];
    let spec = TensorSpec { order: ChannelOrder::Bgr, scale, offset, ..plain(30, 20, Align::Centre) };
    check(&frame, &spec);
}

#[test]
fn known_colours_come_out() {
    let check = |matrix, range, yuv: [u8; 3], expected: [f32; 3]| {
        for format in [PixelFormat::Nv12, PixelFormat::I420, PixelFormat::Y42b, PixelFormat::Y444] {
            let frame = Frame::new(format, (10, 6), &[77], |plane| yuv[plane]);
            let (_, out) = run(&Frame { matrix, range, ..frame }, &plain(20, 12, Align::Centre));
            for (values, expected) in out.chunks_exact(240).zip(expected) {
                let close = values.iter().all(|value| (value - expected).abs() < 1.5);
                assert!(close, "{format:?} {matrix:?} {range:?} {yuv:?}: {}, expected {expected}", values[0]);
            }
        }
    };
    for matrix in MATRICES {
        check(matrix, Range::Limited, [235, 128, 128], [255.0; 3]);
        check(matrix, Range::Limited, [16, 128, 128], [0.0; 3]);
        check(matrix, Range::Limited, [255, 128, 128], [255.0; 3]);
        check(matrix, Range::Full, [255, 128, 128], [255.0; 3]);
        check(matrix, Range::Full, [77, 128, 128], [77.0; 3]);
    }
    check(Matrix::Bt601, Range::Limited, [81, 90, 240], [255.0, 0.0, 0.0]);
    check(Matrix::Bt709, Range::Limited, [63, 102, 240], [255.0, 0.0, 0.0]);
    check(Matrix::Bt601, Range::Limited, [41, 240, 110], [0.0, 0.0, 255.0]);
    check(Matrix::Bt601, Range::Full, [150, 44, 21], [0.0, 255.0, 1.0]);
}

#[test]
fn padding_bytes_are_never_seen() {
    for format in FORMATS {
        for size in [(1, 1), (3, 5), (31, 8), (64, 64)] {
            let [zeros, ones] = [[0; 32], [255; 32]].map(|garbage| {
                let frame = Frame::noise(format, size, &garbage, 5);
                run(&frame, &plain(48, 32, Align::Centre)).1
            });
            assert!(zeros == ones, "{format:?} {size:?}");
        }
    }
}

#[test]
fn a_preprocessor_follows_its_stream() {
    let spec = plain(64, 64, Align::Centre);
    let mut preprocessor = Preprocessor::new(spec).unwrap();
    let mut out = vec![0.0; preprocessor.out_len()];
    for (format, size) in
        [(PixelFormat::I420, (64, 48)), (PixelFormat::Gray8, (64, 48)), (PixelFormat::Nv12, (20, 80))]
    {
        let frame = Frame::noise(format, size, &[], 11);
        let place = preprocessor.run(&frame.image(), &mut out).unwrap();
        assert_eq!((place, out.clone()), run(&frame, &spec));
    }
}

#[test]
fn impossible_work_is_refused() {
    let frame = Frame::noise(PixelFormat::Nv12, (8, 8), &[], 1);
    let mut preprocessor = Preprocessor::new(plain(4, 2, Align::Centre)).unwrap();
    for given in [0, 23, 25] {
        let expected = Err(PreprocessError::OutLength { expected: 24, given });
        assert_eq!(preprocessor.run(&frame.image(), &mut vec![0.0; given]), expected);
    }
    for (width, height) in [(0, 1), (1, 0), (u32::MAX, u32::MAX), (SIDE_PX_MAX + 1, 1)] {
        let error = Preprocessor::new(plain(width, height, Align::Centre)).unwrap_err();
        assert_eq!(error, PreprocessError::Size { width, height });
    }
    let spec = TensorSpec { scale: [1.0, f32::INFINITY, 1.0], ..plain(4, 2, Align::Centre) };
    let error = Preprocessor::new(spec).unwrap_err();
    assert_eq!(error.to_string(), "tensor channel 1: scale inf or offset 0 is not a finite number");
}

proptest! {
    #[test]
    fn any_geometry_matches_the_reference(
        format in prop::sample::select(&FORMATS),
        matrix in prop::sample::select(&MATRICES),
        range in prop::sample::select(&RANGES),
        size in (1..90_u32, 1..90_u32),
        tensor in (1..70_u32, 1..70_u32),
        garbage in prop::collection::vec(any::<u8>(), 0..20),
        align in prop::sample::select(&[Align::TopLeft, Align::Centre, Align::Stretch][..]),
        seed: u32,
    ) {
        let frame = Frame::noise(format, size, &garbage, seed);
        check(&Frame { matrix, range, ..frame }, &plain(tensor.0, tensor.1, align));
    }
}
