//! What a person has above the collar and in the hands.

use super::*;

impl Figure<'_> {
    pub(super) fn head(&self, brush: &mut Brush) {
        let (b, h, d) = (self.b, self.h * self.build.head, self.dress);
        let side = Vec3::Y.cross(b.gaze).normalize_or(b.side);
        let tilt = b.gaze.cross(side).normalize_or(Vec3::Y);
        let seen = |d: Vec3, a: f32, f: f32| (a * side.dot(d)).hypot(f * b.gaze.dot(d)) * h;
        let (right, back) = (brush.right, brush.back);
        let end = |up: f32, fore: f32, a: f32, f: f32| End {
            at: b.head + tilt * (up * h) + b.gaze * (fore * h),
            wide: seen(right, a, f),
            deep: seen(back, a, f),
        };
        let (chin, crown) = (end(-0.022, 0.006, 0.034, 0.04), end(0.022, 0.0, 0.042, 0.052));
        brush_rod(brush, chin, crown, |brush, hit| self.head_at(brush, hit, side, tilt));
        let behind = b.head - b.gaze * (0.02 * h);
        match d.hat {
            Hat::Long | Hat::Scarf => {
                let colour = if d.hat == Hat::Long { d.hair } else { d.hat_colour };
                let down = b.neck - b.gaze * (0.035 * h) - b.spine * (0.02 * h);
                brush_rod(brush, (behind, 0.044 * h), (down, 0.036 * h), |brush, hit| {
                    self.cloth(brush, hit, colour, 30)
                });
            }
            Hat::Cap => {
                let brim = b.head + b.gaze * (0.045 * h) + tilt * (0.026 * h);
                brush_rod(
                    brush,
                    (brim, 0.03 * h),
                    (brim + b.gaze * (0.03 * h) - tilt * (0.006 * h), 0.02 * h),
                    |brush, hit| {
                        let under = if hit.normal.y < 0.0 { 0.5 } else { 1.0 };
                        Texel::lit(d.hat_colour, brush.soft(hit.normal) * under)
                    },
                );
            }
            Hat::Helmet => {
                let (low, top) = (end(0.028, 0.0, 0.056, 0.07), end(0.045, 0.0, 0.04, 0.05));
                brush_rod(brush, low, top, |brush, hit| Texel::lit(d.hat_colour, brush.soft(hit.normal)));
            }
            Hat::Hood => {
                brush_rod(
                    brush,
                    (behind, 0.05 * h),
                    (b.neck - b.gaze * (0.03 * h), 0.045 * h),
                    |brush, hit| self.cloth(brush, hit, d.hat_colour, 30),
                );
            }
            Hat::None | Hat::Bald | Hat::Beanie => {}
        }
    }

    /// Face, ears, hair or hat.
    pub(super) fn head_at(&self, brush: &Brush, hit: Hit, side: Vec3, tilt: Vec3) -> Texel {
        let d = self.dress;
        let n = hit.normal;
        let (front, aside, up) =
            (n.dot(self.b.gaze), n.dot(side).abs(), n.dot(tilt) * 0.6 + hit.v.clamp(0.0, 1.0));
        let line = match d.hat {
            Hat::Bald => 2.5,
            Hat::Cap | Hat::Beanie | Hat::Helmet => 0.85,
            Hat::Hood | Hat::Scarf => 1.05,
            Hat::None | Hat::Long => 1.18,
        };
        let edge = match d.hat {
            Hat::Hood | Hat::Scarf | Hat::Long => 0.5,
            Hat::Bald => -0.6,
            _ => 0.12 - 0.5 * (0.25 - up).max(0.0),
        };
        let covered = up > line || front < edge;
        let colour = match d.hat {
            Hat::Hood | Hat::Scarf | Hat::Helmet => d.hat_colour,
            Hat::Cap | Hat::Beanie if up > 0.7 => d.hat_colour,
            _ if up < -0.15 && front < edge => d.skin,
            _ => d.hair,
        };
        if covered {
            return self.cloth(brush, hit, colour, 31);
        }
        let eyes = (up - 0.62).abs() < 0.13 && (aside - 0.36).abs() < 0.17 && front > 0.45;
        let mouth = (up + 0.02).abs() < 0.08 && aside < 0.22 && front > 0.5;
        let dark = if eyes {
            0.45
        } else if mouth {
            0.7
        } else {
            1.0
        };
        let beard = if up < 0.05 && self.seed.is_multiple_of(5) { d.hair.lerp(d.skin, 0.35) } else { d.skin };
        Texel::lit(beard * dark, brush.soft(n))
    }

    pub(super) fn load(&self, brush: &mut Brush) {
        let (b, h, d) = (self.b, self.h, self.dress);
        if let Some(colour) = d.backpack {
            let back =
                |up: f32| b.pelvis + b.spine * (up * h) - b.ahead * (0.1 * h * self.build.girth.min(1.2));
            let end = |up: f32| self.ring(brush, back(up), (0.078, 0.045));
            let (low, top) = (end(0.1), end(0.235));
            brush_rod(brush, low, top, |brush, hit| self.cloth(brush, hit, colour, 40));
        }
        match self.build.arms {
            Arms::Box => {
                let middle = b.hands[0].midpoint(b.hands[1]) + b.ahead * 0.1 + Vec3::Y * 0.08;
                block(brush, middle, [b.ahead * 0.15, b.side * 0.2, Vec3::Y * 0.14], d.load);
            }
            Arms::Bag => {
                let low = b.hands[1] - Vec3::Y * (0.16 * h);
                block(brush, low, [b.ahead * 0.16, b.side * 0.05, Vec3::Y * 0.15], d.load);
            }
            Arms::Phone | Arms::Call => {
                let at =
                    b.hands[1] + (b.hands[1] - b.elbows[1]).normalize_or_zero() * (0.04 * h) + b.side * 0.01;
                block(brush, at, [b.ahead * 0.012, b.side * 0.035, Vec3::Y * 0.07], Vec3::splat(0.02));
            }
            Arms::Tool => {
                let way = (b.hands[0] - b.hands[1]).normalize_or(Vec3::Y);
                let (top, low) = (
                    b.hands[1] + Vec3::Y * 0.3 - way * 0.1,
                    b.hands[0].with_y(b.ankles[0].y) + b.ahead * 0.2,
                );
                brush_rod(brush, (top, 0.014), (low, 0.014), |brush, hit| {
                    Texel::lit(Vec3::new(0.3, 0.2, 0.1), brush.soft(hit.normal))
                });
            }
            Arms::Umbrella => self.umbrella(brush),
            _ => {}
        }
    }

    pub(super) fn umbrella(&self, brush: &mut Brush) {
        let (b, h) = (self.b, self.h);
        let hand = b.hands[1];
        let top = hand + Vec3::Y * (0.42 * h).max(0.6) - b.side * 0.05;
        brush_rod(brush, (hand, 0.012), (top, 0.01), |brush, hit| {
            Texel::lit(Vec3::splat(0.1), brush.soft(hit.normal))
        });
        let rim = |k: u8| {
            let angle = f32::from(k) * core::f32::consts::FRAC_PI_4;
            top + (b.ahead * libm::cosf(angle) + b.side * libm::sinf(angle)) * 0.52 - Vec3::Y * 0.2
        };
        for k in 0..8 {
            let corners = [top, rim(k), rim(k + 1)];
            let Some(normal) = super::super::brush::normal_of(&corners) else { continue };
            let normal = if normal.y < 0.0 { -normal } else { normal };
            let above = (brush.view.position - top).dot(normal) > 0.0;
            let light = brush.soft(normal) * if above { 1.0 } else { 0.4 };
            brush.face(&corners, |_| Texel::lit(self.dress.load, light));
        }
    }
}
