//! From red, green and blue to what encoders and detectors read.

/// BT.601 for video levels, in 1/65536: luma, blue and red difference.
const LUMA: [i32; 3] = [16_829, 33_039, 6_416];
const BLUE: [i32; 3] = [-9_714, -19_070, 28_784];
const RED: [i32; 3] = [28_784, -24_103, -4_681];
const HALF: i32 = 1 << 15;

/// What caps say about the bytes that [`i420`] makes.
pub const COLORIMETRY: &str = "bt601";

/// Three planes, I420, of a picture whose sides are even: luma, then each colour at half the
/// resolution, rows without gaps.
#[must_use]
pub fn i420(rgb: &[u8], (width, height): (u32, u32)) -> Vec<u8> {
    let (width, height) = (width as usize, height as usize);
    let mut planes = Vec::with_capacity(width * height * 3 / 2);
    planes.extend(rgb.chunks_exact(3).map(|p| {
        let [r, g, b] = [p[0], p[1], p[2]].map(i32::from);
        level(16, LUMA, [r, g, b], 16)
    }));
    planes.resize(width * height * 3 / 2, 128);
    let (blue, red) = planes[width * height..].split_at_mut(width * height / 4);
    let rows = rgb.chunks_exact(width * 3 * 2);
    for (n, pair) in rows.enumerate() {
        let (upper, lower) = pair.split_at(width * 3);
        for (x, (u, l)) in upper.chunks_exact(6).zip(lower.chunks_exact(6)).enumerate() {
            let sum =
                |c: usize| i32::from(u[c]) + i32::from(u[c + 3]) + i32::from(l[c]) + i32::from(l[c + 3]);
            let four = [sum(0), sum(1), sum(2)];
            let at = n * width / 2 + x;
            blue[at] = level(128, BLUE, four, 18);
            red[at] = level(128, RED, four, 18);
        }
    }
    planes
}

/// `zero` and the sum of products, shifted by 16 bits, and by 2 more for a sum of four pixels.
#[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
fn level(zero: i32, weights: [i32; 3], [r, g, b]: [i32; 3], shift: u32) -> u8 {
    let sum = weights[0] * r + weights[1] * g + weights[2] * b;
    let half = HALF << (shift - 16);
    (zero + ((sum + half) >> shift)).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_have_known_levels() {
        for (rgb, wanted) in [
            ([0, 0, 0], [16, 128, 128]),
            ([255, 255, 255], [235, 128, 128]),
            ([255, 0, 0], [81, 90, 240]),
            ([0, 255, 0], [145, 54, 34]),
            ([0, 0, 255], [41, 240, 110]),
        ] {
            let planes = i420(&rgb.repeat(8), (4, 2));
            assert_eq!(planes.len(), 12);
            assert!(planes[..8].iter().all(|y| *y == wanted[0]), "{rgb:?}: {planes:?}");
            assert_eq!(
                (&planes[8..10], &planes[10..]),
                (&[wanted[1]; 2][..], &[wanted[2]; 2][..]),
                "{rgb:?}"
            );
        }
    }
}
