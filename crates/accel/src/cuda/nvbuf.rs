//! `NvBufSurface`: what a buffer of NVIDIA's memory says of itself, read without its header.
//!
//! The structure differs between releases of Jetson Linux (384 bytes of parameters until r36, 416 from r38 and in DeepStream
//! 9); all that is read here lies at the same place in both. It changed before and may again, so what is read is only
//! believed if it agrees with itself.
//!
//! The 416-byte layout was compared with DeepStream 9's own library in system memory (`tests/nvbuf_library.rs`); the
//! 384-byte one comes from the sources of two projects that read it on r35 and r36.

use thiserror::Error;

use super::image::{DeviceFormat, DeviceLayout};
use crate::preprocess::{Matrix, Range};

/// Bytes of the surface that are read, and of the parameters of its first buffer.
pub const HEADER_BYTES: usize = 32;
pub const PARAMS_BYTES: usize = 320;

/// Where the pixels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// CUDA device or unified memory at this address.
    Cuda(u64),
    /// Jetson's surfaces, which EGL maps.
    SurfaceArray,
    /// Memory of the host at this address.
    System(u64),
}

/// A surface whose parts agree with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surface {
    pub memory: Memory,
    /// NV12, of which kind the format says.
    pub layout: DeviceLayout,
    pub block_linear: bool,
    /// Of the DMA buffer, for surfaces of Jetson.
    pub fd: u64,
    /// Bytes of all planes.
    pub bytes: usize,
}

/// What does not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SurfaceError {
    #[error("an NvBufSurface of {given} bytes; at least {expected} are expected")]
    Short { expected: usize, given: usize },
    #[error(
        "an NvBufSurface says that {filled} of {batch} buffers are filled; at least one of at least one is expected"
    )]
    Batch { batch: u32, filled: u32 },
    #[error("an NvBufSurface has no buffers")]
    Empty,
    #[error(
        "an NvBufSurface of memory type {0}; 2 (CUDA), 3 (unified), 4 (surface array) or 6 (system) is expected"
    )]
    Memory(u32),
    #[error("an NvBufSurface of colour format {0}; NV12 is expected (6, 7, 33, 34 or 36)")]
    Format(u32),
    #[error("an NvBufSurface of layout {0}; 0 (pitch) or 1 (block-linear) is expected")]
    Layout(u32),
    #[error("an NvBufSurface of CUDA memory in block-linear layout can't be read row by row")]
    BlockLinear,
    #[error("an NvBufSurface of {width}x{height} pixels; 1 to 16384 each are expected")]
    Size { width: u32, height: u32 },
    #[error("an NvBufSurface of NV12 with {0} planes; two are expected")]
    Planes(u32),
    #[error(
        "plane {plane} of an NvBufSurface is {given:?} (width, height, bytes per pixel); {expected:?} is expected"
    )]
    Plane { plane: usize, expected: (u32, u32, u32), given: (u32, u32, u32) },
    #[error("plane {plane} of an NvBufSurface: a pitch of {given} bytes is shorter than a row of {expected}")]
    Pitch { plane: usize, expected: usize, given: usize },
    #[error("plane {plane} of an NvBufSurface ends at byte {end} of {bytes}")]
    End { plane: usize, end: usize, bytes: usize },
    #[error("an NvBufSurface of CUDA or system memory has no address")]
    Address,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

/// The address of the first buffer's parameters.
///
/// # Errors
/// [`SurfaceError`] if this can't be an NvBufSurface.
pub fn params_address(header: &[u8]) -> Result<u64, SurfaceError> {
    if header.len() < HEADER_BYTES {
        return Err(SurfaceError::Short { expected: HEADER_BYTES, given: header.len() });
    }
    let (batch, filled) = (word(header, 4), word(header, 8));
    if batch == 0 || filled == 0 || filled > batch || batch > 1024 {
        return Err(SurfaceError::Batch { batch, filled });
    }
    match long(header, 24) {
        address if address != 0 && address.is_multiple_of(8) => Ok(address),
        _ => Err(SurfaceError::Empty),
    }
}

/// The matrix and range of a colour format of the NV12 family.
fn colours(format: u32) -> Option<(Matrix, Range)> {
    Some(match format {
        6 => (Matrix::Bt601, Range::Limited),
        7 => (Matrix::Bt601, Range::Full),
        33 => (Matrix::Bt709, Range::Limited),
        34 => (Matrix::Bt709, Range::Full),
        36 => (Matrix::Bt2020, Range::Limited),
        _ => return None,
    })
}

impl Surface {
    /// Reads the first buffer of a surface. `params` are the bytes at [`params_address`].
    ///
    /// # Errors
    /// [`SurfaceError`] with what does not agree.
    pub fn parse(header: &[u8], params: &[u8]) -> Result<Self, SurfaceError> {
        params_address(header)?;
        if params.len() < PARAMS_BYTES {
            return Err(SurfaceError::Short { expected: PARAMS_BYTES, given: params.len() });
        }
        let (width, height) = (word(params, 0), word(params, 4));
        if !(1..=16384).contains(&width) || !(1..=16384).contains(&height) {
            return Err(SurfaceError::Size { width, height });
        }
        let format = word(params, 12);
        let (matrix, range) = colours(format).ok_or(SurfaceError::Format(format))?;
        let block_linear = match word(params, 16) {
            0 => false,
            1 => true,
            other => return Err(SurfaceError::Layout(other)),
        };
        let address = long(params, 40);
        let memory = match (word(header, 16), address) {
            (2 | 3 | 6, 0) => return Err(SurfaceError::Address),
            (2 | 3 | 6, _) if block_linear => return Err(SurfaceError::BlockLinear),
            (2 | 3, address) => Memory::Cuda(address),
            (6, address) => Memory::System(address),
            (4, _) => Memory::SurfaceArray,
            (other, _) => return Err(SurfaceError::Memory(other)),
        };
        let bytes = word(params, 32) as usize;
        let (offsets, pitches) = planes(params, width, height, bytes)?;
        let layout =
            DeviceLayout { format: DeviceFormat::Nv12, width, height, matrix, range, offsets, pitches };
        Ok(Surface { memory, layout, block_linear, fd: long(params, 24), bytes })
    }
}

/// Offsets and pitches of the two planes of NV12.
fn planes(
    params: &[u8],
    width: u32,
    height: u32,
    bytes: usize,
) -> Result<([usize; 3], [usize; 3]), SurfaceError> {
    let number = word(params, 48);
    if number != 2 {
        return Err(SurfaceError::Planes(number));
    }
    let (mut offsets, mut pitches) = ([0; 3], [0; 3]);
    for plane in 0..2 {
        let of = |table: usize| word(params, table + 4 * plane);
        let expected = match plane {
            0 => (width, height, 1),
            _ => (width.div_ceil(2), height.div_ceil(2), 2),
        };
        let given = (of(52), of(68), of(132));
        // For odd sides some releases round the chroma down.
        let down = (width / 2, height / 2, 2);
        if given != expected && (plane == 0 || given != down) {
            return Err(SurfaceError::Plane { plane, expected, given });
        }
        let (row, rows) = DeviceFormat::Nv12.plane_size(plane, width, height);
        let (pitch, offset, size) = (of(84) as usize, of(100) as usize, of(116) as usize);
        if pitch < row {
            return Err(SurfaceError::Pitch { plane, expected: row, given: pitch });
        }
        let end = offset + size.max(pitch * (rows - 1) + row);
        if end > bytes {
            return Err(SurfaceError::End { plane, end, bytes });
        }
        (offsets[plane], pitches[plane]) = (offset, pitch);
    }
    Ok((offsets, pitches))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 1920x1080 frame as a decoder leaves it, in the layout with so many bytes of parameters.
    fn surface(params_bytes: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut header, mut params) = (vec![0; 64], vec![0; params_bytes]);
        for (at, value) in [(4, 1), (8, 1), (16, 4), (24, 0x1000)] {
            put(&mut header, at, value);
        }
        for (at, value) in [(0, 1920), (4, 1080), (8, 2048), (12, 33), (16, 1), (24, 57), (32, 3_342_336)] {
            put(&mut params, at, value);
        }
        for (at, value) in [(48, 2), (52, 1920), (56, 960), (68, 1080), (72, 540), (84, 2048), (88, 2048)] {
            put(&mut params, at, value);
        }
        for (at, value) in [(104, 2_228_224), (116, 2_228_224), (120, 1_114_112), (132, 1), (136, 2)] {
            put(&mut params, at, value);
        }
        (header, params)
    }

    fn put(bytes: &mut [u8], at: usize, value: u32) {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    #[test]
    fn both_layouts_are_read() {
        for bytes in [384, 416] {
            let (header, params) = surface(bytes);
            let expected = Surface {
                memory: Memory::SurfaceArray,
                layout: DeviceLayout {
                    format: DeviceFormat::Nv12,
                    width: 1920,
                    height: 1080,
                    matrix: Matrix::Bt709,
                    range: Range::Limited,
                    offsets: [0, 2_228_224, 0],
                    pitches: [2048, 2048, 0],
                },
                block_linear: true,
                fd: 57,
                bytes: 3_342_336,
            };
            assert_eq!(Surface::parse(&header, &params), Ok(expected), "{bytes}");
        }
    }

    #[test]
    fn memory_and_colours_have_their_numbers() {
        let kind = |memory, layout| {
            let (mut header, mut params) = surface(416);
            put(&mut header, 16, memory);
            put(&mut params, 16, layout);
            put(&mut params, 44, 0x7f);
            Surface::parse(&header, &params).map(|s| s.memory)
        };
        let address = 0x7f << 32;
        assert_eq!(kind(2, 0), Ok(Memory::Cuda(address)));
        assert_eq!(kind(3, 0), Ok(Memory::Cuda(address)));
        assert_eq!(kind(6, 0), Ok(Memory::System(address)));
        assert_eq!(kind(4, 0), Ok(Memory::SurfaceArray));
        assert_eq!(kind(2, 1), Err(SurfaceError::BlockLinear));
        let colour = |format| {
            let (header, mut params) = surface(384);
            put(&mut params, 12, format);
            Surface::parse(&header, &params).map(|s| (s.layout.matrix, s.layout.range))
        };
        assert_eq!(colour(6), Ok((Matrix::Bt601, Range::Limited)));
        assert_eq!(colour(7), Ok((Matrix::Bt601, Range::Full)));
        assert_eq!(colour(34), Ok((Matrix::Bt709, Range::Full)));
        assert_eq!(colour(36), Ok((Matrix::Bt2020, Range::Limited)));
        assert_eq!(colour(19), Err(SurfaceError::Format(19)));
        assert_eq!(colour(29), Err(SurfaceError::Format(29)));
    }

    #[test]
    fn what_does_not_agree_is_refused() {
        let (plane, header) = (true, false);
        for (is_params, at, value, expected) in [
            (header, 4, 0, SurfaceError::Batch { batch: 0, filled: 1 }),
            (header, 8, 0, SurfaceError::Batch { batch: 1, filled: 0 }),
            (header, 8, 2, SurfaceError::Batch { batch: 1, filled: 2 }),
            (header, 4, 0x7f00_0000, SurfaceError::Batch { batch: 0x7f00_0000, filled: 1 }),
            (header, 24, 0, SurfaceError::Empty),
            (header, 24, 0x1001, SurfaceError::Empty),
            (header, 16, 5, SurfaceError::Memory(5)),
            (header, 16, 2, SurfaceError::Address),
            (plane, 0, 0, SurfaceError::Size { width: 0, height: 1080 }),
            (plane, 4, 20_000, SurfaceError::Size { width: 1920, height: 20_000 }),
            (plane, 16, 7, SurfaceError::Layout(7)),
            (plane, 48, 3, SurfaceError::Planes(3)),
            (
                plane,
                52,
                1918,
                SurfaceError::Plane { plane: 0, expected: (1920, 1080, 1), given: (1918, 1080, 1) },
            ),
            (plane, 136, 1, SurfaceError::Plane { plane: 1, expected: (960, 540, 2), given: (960, 540, 1) }),
            (plane, 84, 1919, SurfaceError::Pitch { plane: 0, expected: 1920, given: 1919 }),
            (plane, 104, 2_228_225, SurfaceError::End { plane: 1, end: 3_342_337, bytes: 3_342_336 }),
            (plane, 32, 1_000_000, SurfaceError::End { plane: 0, end: 2_228_224, bytes: 1_000_000 }),
        ] {
            let (mut header, mut params) = surface(416);
            put(if is_params { &mut params } else { &mut header }, at, value);
            assert_eq!(Surface::parse(&header, &params), Err(expected), "{at}: {value}");
        }
        let (header, params) = surface(416);
        let short = |expected, given| Err(SurfaceError::Short { expected, given });
        assert_eq!(Surface::parse(&header[..31], &params), short(32, 31));
        assert_eq!(Surface::parse(&header, &params[..319]), short(320, 319));
    }

    /// Odd sides, where releases round differently.
    #[test]
    fn odd_chroma_may_be_rounded_down() {
        let (header, mut params) = surface(384);
        for (at, value) in [(0, 1919), (52, 1919), (4, 1079), (68, 1079)] {
            put(&mut params, at, value);
        }
        Surface::parse(&header, &params).expect("rounded up");
        put(&mut params, 56, 959);
        put(&mut params, 72, 539);
        Surface::parse(&header, &params).expect("rounded down");
        put(&mut params, 72, 538);
        Surface::parse(&header, &params).expect_err("too few");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            header in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80),
            params in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..420),
            at in 0..100_usize, value: u32,
        ) {
            let _ = Surface::parse(&header, &params);
            let (mut header, mut params) = surface(416);
            put(&mut params, 4 * at, value);
            let _ = Surface::parse(&header, &params);
            put(&mut header, 4 * (at % 15), value);
            if let Ok(surface) = Surface::parse(&header, &params) {
                surface.layout.check(surface.bytes).expect("what is accepted is whole");
            }
        }
    }
}
