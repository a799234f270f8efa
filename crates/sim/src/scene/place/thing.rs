//! What stands around, and how it is painted: blocks, houses, drums, rods, panels, wires.

use glam::{Vec2, Vec3};

use super::Eye;
use super::plant::Plant;
use super::skin::{Skin, fade, hash, soft};
use crate::scene::canvas::{Canvas, Texel};
use crate::scene::noise::smoothstep;

/// Windows in a wall, one in each cell.
#[derive(Clone, Copy, Debug)]
pub struct Openings {
    pub cell: Vec2,
    /// Half its width and height.
    pub glass: Vec2,
    pub frame: Vec3,
    /// Share of the cells that have one.
    pub share: f32,
    /// Share that is lit at night.
    pub lit: f32,
    pub seed: u32,
}

/// A box on the ground, perhaps with a gable roof and windows.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The middle of its floor.
    pub foot: Vec3,
    /// Half its sides along its own x and z.
    pub half: Vec2,
    pub height: f32,
    pub yaw: f32,
    pub skin: Skin,
    pub top: Skin,
    /// Metres that the roof rises; 0 is flat.
    pub gable: f32,
    pub openings: Option<Openings>,
}

/// One thing of a site.
#[derive(Clone, Copy, Debug)]
pub enum Thing {
    Block(Block),
    /// A cylinder.
    Drum {
        from: Vec3,
        to: Vec3,
        radius: f32,
        skin: Skin,
    },
    Rod {
        from: (Vec3, f32),
        to: (Vec3, f32),
        colour: Vec3,
    },
    /// A flat picture: corners in order, the first edge is its lower one.
    Panel {
        corners: [Vec3; 4],
        skin: Skin,
        emit: Vec3,
    },
    /// A hanging wire.
    Wire {
        from: Vec3,
        to: Vec3,
        sag: f32,
    },
    Bulb {
        at: Vec3,
        radius: f32,
        emit: Vec3,
    },
    /// A fence or grid that lets the view through.
    Mesh {
        from: Vec3,
        to: Vec3,
        height: f32,
        gap: f32,
        colour: Vec3,
    },
    Plant(Plant),
}

impl Thing {
    /// Its middle, to paint far things first.
    pub fn middle(&self) -> Vec3 {
        match self {
            Self::Block(b) => b.foot,
            Self::Drum { from, to, .. } | Self::Wire { from, to, .. } | Self::Mesh { from, to, .. } => {
                (*from + *to) * 0.5
            }
            Self::Rod { from, to, .. } => (from.0 + to.0) * 0.5,
            Self::Panel { corners, .. } => (corners[0] + corners[2]) * 0.5,
            Self::Bulb { at, .. } => *at,
            Self::Plant(p) => p.foot,
        }
    }

    /// Paints it.
    pub fn paint(&self, canvas: &mut Canvas, eye: &Eye) {
        match self {
            Self::Block(b) => b.paint(canvas, eye),
            Self::Drum { from, to, radius, skin } => drum(canvas, eye, (*from, *to), *radius, skin),
            Self::Rod { from, to, colour } => {
                let middle = (from.0 + to.0) * 0.5;
                canvas.capsule(eye.view, *from, *to, 0, |normal, _| {
                    Texel::lit(*colour, eye.site.lit(middle, normal))
                });
            }
            Self::Panel { corners, skin, emit } => {
                wall(canvas, eye, corners, skin, None, *emit);
            }
            Self::Wire { from, to, sag } => {
                let point = |t: f32| from.lerp(*to, t) - Vec3::Y * (4.0 * sag * t * (1.0 - t));
                for i in 0..8 {
                    let (a, b) = (point(i as f32 / 8.0), point((i + 1) as f32 / 8.0));
                    let light = eye.site.light.sky * 0.5;
                    canvas.capsule(eye.view, (a, 0.012), (b, 0.012), 0, |_, _| {
                        Texel::lit(Vec3::splat(0.03), light)
                    });
                }
            }
            Self::Bulb { at, radius, emit } => {
                canvas.ball(eye.view, *at, *radius, 0, |_| Texel::shining(*emit));
            }
            Self::Mesh { from, to, height, gap, colour } => {
                mesh(canvas, eye, (*from, *to), *height, *gap, *colour);
            }
            Self::Plant(p) => p.paint(canvas, eye),
        }
    }
}

impl Block {
    /// The four lower corners, counter-clockwise from above.
    pub fn corners(&self) -> [Vec3; 4] {
        let (sin, cos) = (libm::sinf(self.yaw), libm::cosf(self.yaw));
        let (x, z) = (Vec3::new(cos, 0.0, -sin) * self.half.x, Vec3::new(sin, 0.0, cos) * self.half.y);
        [self.foot - x - z, self.foot + x - z, self.foot + x + z, self.foot - x + z]
    }

    fn paint(&self, canvas: &mut Canvas, eye: &Eye) {
        let low = self.corners();
        let up = Vec3::Y * self.height;
        let high = low.map(|c| c + up);
        for i in 0..4 {
            let j = (i + 1) % 4;
            if (low[i] + low[j] - self.foot * 2.0).dot(eye.view.position - low[i]) <= 0.0 {
                continue;
            }
            wall(
                canvas,
                eye,
                &[low[i], low[j], high[j], high[i]],
                &self.skin,
                self.openings.as_ref(),
                Vec3::ZERO,
            );
        }
        if self.gable <= 0.0 {
            wall(canvas, eye, &high, &self.top, None, Vec3::ZERO);
            return;
        }
        let rise = Vec3::Y * self.gable;
        let ends = [(high[0] + high[3]) * 0.5 + rise, (high[1] + high[2]) * 0.5 + rise];
        wall(canvas, eye, &[high[3], high[0], ends[0]], &self.skin, None, Vec3::ZERO);
        wall(canvas, eye, &[high[1], high[2], ends[1]], &self.skin, None, Vec3::ZERO);
        let (side, along) = ((high[0] - high[3]) * 0.06, (high[1] - high[0]).normalize_or_zero() * 0.3);
        let drop = Vec3::Y * self.gable * 0.12;
        let (e0, e1) = (ends[0] - along, ends[1] + along);
        let south = [high[0] + side - drop - along, high[1] + side - drop + along, e1, e0];
        let north = [high[2] - side - drop + along, high[3] - side - drop - along, e0, e1];
        wall(canvas, eye, &south, &self.top, None, Vec3::ZERO);
        wall(canvas, eye, &north, &self.top, None, Vec3::ZERO);
    }
}

/// A flat face with a skin; the first edge is its lower one. Both sides are painted.
pub fn wall(
    canvas: &mut Canvas,
    eye: &Eye,
    corners: &[Vec3],
    skin: &Skin,
    openings: Option<&Openings>,
    emit: Vec3,
) {
    let origin = corners[0];
    let along = (corners[1] - origin).normalize_or_zero();
    let mut normal = along.cross(corners[2] - origin).normalize_or_zero();
    if normal.dot(eye.view.position - origin) < 0.0 {
        normal = -normal;
    }
    let up = normal.cross(along);
    let up = if up.dot(corners[2] - origin) < 0.0 { -up } else { up };
    let upright = normal.y.abs() < 0.5;
    canvas.polygon(eye.view, corners, 0, |p| {
        let off = p - origin;
        let uv = Vec2::new(off.dot(along), off.dot(up));
        let foot = eye.foot(p, normal);
        let mut light = eye.site.lit(p, normal);
        let mut albedo = skin.at(uv, foot);
        if upright {
            // Splashed and shaded near the ground.
            light *= 0.6 + 0.4 * smoothstep(-0.1, 0.7, p.y);
            albedo *= 0.8 + 0.2 * smoothstep(0.0, 0.5, p.y);
        }
        let base = Texel { albedo, light, emit: emit * albedo };
        match openings {
            Some(o) => o.over(eye, uv, foot, base),
            None => base,
        }
    });
}

impl Openings {
    fn over(&self, eye: &Eye, uv: Vec2, foot: f32, base: Texel) -> Texel {
        let cell = (uv / self.cell).floor();
        if hash(self.seed, cell) > self.share {
            return base;
        }
        let off = (uv / self.cell - cell - 0.5) * self.cell;
        let edge = self.glass - off.abs();
        let inside = edge.x.min(edge.y);
        let frame = soft(inside + 0.08, foot);
        if frame <= 0.0 {
            let sill = soft(0.06 - (off.y + self.glass.y + 0.12).abs(), foot) * soft(edge.x + 0.1, foot);
            return Texel { albedo: base.albedo * (1.0 - 0.3 * sill), ..base };
        }
        let bar = soft(0.03 - off.x.abs(), foot) * fade(0.3, foot);
        let glass = soft(inside, foot) * (1.0 - bar);
        let rnd = hash(self.seed ^ 3, cell);
        let curtain = hash(self.seed ^ 4, cell) * self.glass.y * 2.0 - self.glass.y;
        let drawn = if off.y > curtain { 0.45 } else { 0.05 };
        let sky = eye.site.sky_level() * (0.04 + 0.16 * rnd) * (0.8 + 0.3 * off.y / self.glass.y);
        let shown = hash(self.seed ^ 5, cell) < self.lit;
        let warm =
            Vec3::new(0.75, 0.46, 0.20).lerp(Vec3::new(0.5, 0.55, 0.6), if rnd > 0.75 { 1.0 } else { 0.0 });
        let lamp = if shown { warm * (0.25 + 0.6 * rnd) * eye.site.light.night } else { Vec3::ZERO };
        let mixed = |a: Vec3, b: Vec3, share: f32| a.lerp(b, share);
        let albedo = mixed(mixed(base.albedo, self.frame, frame), Vec3::splat(0.03 + 0.2 * drawn), glass);
        let emit = (sky + lamp * (0.5 + drawn)) * glass;
        Texel { albedo, light: base.light * (1.0 - 0.4 * glass), emit }
    }
}

fn drum(canvas: &mut Canvas, eye: &Eye, (from, to): (Vec3, Vec3), radius: f32, skin: &Skin) {
    const SIDES: usize = 14;
    let axis = (to - from).normalize_or_zero();
    let side = if axis.y.abs() > 0.9 { Vec3::X } else { Vec3::Y.cross(axis).normalize_or_zero() };
    let other = axis.cross(side);
    let rim = |i: usize| {
        let turn = core::f32::consts::TAU * i as f32 / SIDES as f32;
        (side * libm::cosf(turn) + other * libm::sinf(turn), turn)
    };
    for i in 0..SIDES {
        let ((a, turn), (b, _)) = (rim(i), rim(i + 1));
        if (a + b).dot(eye.view.position - from - (a + b) * radius * 0.5) <= 0.0 {
            continue;
        }
        let corners = [from + a * radius, from + b * radius, to + b * radius, to + a * radius];
        canvas.polygon(eye.view, &corners, 0, |p| {
            let off = p - from;
            let up = off.dot(axis);
            let normal = (off - axis * up).normalize_or_zero();
            let around = (turn + (normal - a).length()) * radius;
            let rib = if (up / radius * 0.8).rem_euclid(1.0) < 0.07 { 0.75 } else { 1.0 };
            let ground = 0.6 + 0.4 * smoothstep(0.0, 0.5, p.y);
            let albedo = skin.at(Vec2::new(around, up), eye.foot(p, normal)) * rib;
            Texel::lit(albedo, eye.site.lit(p, normal) * ground)
        });
    }
    for (end, out) in [(from, -axis), (to, axis)] {
        if out.dot(eye.view.position - end) > 0.0 {
            let corners: Vec<Vec3> = (0..SIDES).map(|i| end + rim(i).0 * radius).collect();
            wall(canvas, eye, &corners, &Skin { a: skin.a * 0.8, ..*skin }, None, Vec3::ZERO);
        }
    }
}

fn mesh(canvas: &mut Canvas, eye: &Eye, (from, to): (Vec3, Vec3), height: f32, gap: f32, colour: Vec3) {
    let along = to - from;
    let middle = (from + to) * 0.5;
    let light = eye.site.lit(middle + Vec3::Y, (eye.view.position - middle).normalize_or_zero());
    let count = (along.length() / gap).ceil().clamp(1.0, 80.0);
    let mut t = 0.0;
    while t <= count {
        let foot = from + along * (t / count);
        canvas.capsule(eye.view, (foot, 0.03), (foot + Vec3::Y * height, 0.025), 0, |_, _| {
            Texel::lit(colour, light)
        });
        t += 1.0;
    }
    for y in [0.15, 0.55, 0.97] {
        let up = Vec3::Y * height * y;
        canvas.capsule(eye.view, (from + up, 0.025), (to + up, 0.025), 0, |_, _| {
            Texel::lit(colour * 0.9, light)
        });
    }
}
