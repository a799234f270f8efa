//! What people wear and look like.

use fastrand::Rng;
use glam::Vec3;

use super::super::light::rgb;

/// What covers the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hat {
    None,
    Bald,
    Long,
    Cap,
    Beanie,
    Hood,
    Helmet,
    Scarf,
}

/// What covers the legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legs {
    Trousers,
    Shorts,
    Skirt,
}

/// What is printed on the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Print {
    Plain,
    /// The front shows what is worn below.
    Open,
    /// Another colour from the shoulders down to here.
    Yoke,
    Bands,
    /// Fluorescent with reflecting bands.
    Vest,
}

/// All clothes and colours of a person.
#[derive(Clone, Copy, Debug)]
pub struct Dress {
    pub skin: Vec3,
    pub hair: Vec3,
    pub hat: Hat,
    pub hat_colour: Vec3,
    pub top: Vec3,
    pub second: Vec3,
    pub print: Print,
    /// How far the sleeves reach: 0 none, 1 elbow, 2 wrist.
    pub sleeves: f32,
    /// How far a coat or a jumper hangs below the waist, in shares of the height.
    pub hem: f32,
    /// How much wider than the body it is.
    pub loose: f32,
    pub legs: Legs,
    pub bottom: Vec3,
    pub shoes: Vec3,
    pub backpack: Option<Vec3>,
    /// Colour of what is carried.
    pub load: Vec3,
}

impl Dress {
    pub fn new(rng: &mut Rng) -> Self {
        let top = cloth(rng);
        let (print, top, second) = match rng.f32() {
            x if x < 0.12 => (Print::Vest, vest(rng), top),
            x if x < 0.30 => (Print::Open, top, cloth(rng)),
            x if x < 0.40 => (Print::Yoke, top, cloth(rng)),
            x if x < 0.48 => (Print::Bands, top, cloth(rng)),
            _ => (Print::Plain, top, top),
        };
        let coat = print != Print::Vest && rng.f32() < 0.18;
        let sleeves = if coat || rng.f32() < 0.68 { 2.0 } else { rng.f32() * 0.5 + 0.6 };
        let legs = match rng.f32() {
            x if x < 0.80 => Legs::Trousers,
            x if x < 0.91 => Legs::Shorts,
            _ => Legs::Skirt,
        };
        let working = print == Print::Vest;
        let hat = hat(rng, working);
        let hat_colour = if hat == Hat::Helmet { helmet(rng) } else { cloth(rng) };
        Self {
            skin: skin(rng),
            hair: hair(rng),
            hat,
            hat_colour: if hat == Hat::Hood { top } else { hat_colour },
            top,
            second,
            print,
            sleeves,
            hem: if coat { 0.12 + 0.16 * rng.f32() } else { 0.02 + 0.04 * rng.f32() },
            loose: 1.0 + 0.18 * rng.f32() + if coat { 0.06 } else { 0.0 },
            legs: if working { Legs::Trousers } else { legs },
            bottom: trousers(rng),
            shoes: shoes(rng),
            backpack: (rng.f32() < 0.16).then(|| cloth(rng)),
            load: load(rng),
        }
    }
}

/// A colour by its hue (0..6), strength and brightness, as one sees them.
pub fn hue(hue: f32, strength: f32, bright: f32) -> Vec3 {
    let part = |shift: f32| {
        let k = (shift + hue).rem_euclid(6.0);
        bright - bright * strength * k.min(4.0 - k).clamp(0.0, 1.0)
    };
    seen(Vec3::new(part(5.0), part(3.0), part(1.0)))
}

/// Linear light of a colour as one sees it, 0..1.
fn seen(c: Vec3) -> Vec3 {
    let power = |v: f32| libm::powf(v.clamp(0.0, 1.0), 2.2);
    Vec3::new(power(c.x), power(c.y), power(c.z))
}

fn pick(rng: &mut Rng, from: &[(u8, u8, u8)]) -> Vec3 {
    let (r, g, b) = from[rng.usize(0..from.len())];
    let bright = 0.75 + 0.5 * rng.f32();
    rgb(r, g, b) * bright
}

/// Mostly dark and muted, as people dress.
pub fn cloth(rng: &mut Rng) -> Vec3 {
    const MUTED: [(u8, u8, u8); 24] = [
        (28, 28, 30),
        (35, 34, 36),
        (42, 42, 46),
        (24, 28, 40),
        (32, 40, 62),
        (40, 50, 80),
        (60, 62, 66),
        (84, 86, 90),
        (112, 112, 114),
        (70, 60, 50),
        (92, 76, 60),
        (66, 72, 56),
        (82, 88, 66),
        (60, 80, 112),
        (86, 106, 136),
        (150, 138, 118),
        (176, 164, 142),
        (206, 204, 198),
        (228, 226, 222),
        (96, 36, 42),
        (52, 66, 58),
        (130, 128, 130),
        (44, 36, 34),
        (58, 54, 70),
    ];
    if rng.f32() < 0.24 {
        let (strength, bright) = (0.35 + 0.55 * rng.f32(), 0.3 + 0.6 * rng.f32());
        return hue(rng.f32() * 6.0, strength, bright);
    }
    pick(rng, &MUTED)
}

fn trousers(rng: &mut Rng) -> Vec3 {
    const COMMON: [(u8, u8, u8); 12] = [
        (26, 26, 28),
        (34, 34, 38),
        (40, 46, 64),
        (46, 58, 86),
        (66, 84, 118),
        (92, 112, 142),
        (58, 58, 60),
        (90, 88, 86),
        (120, 108, 88),
        (150, 136, 110),
        (64, 62, 48),
        (48, 42, 38),
    ];
    if rng.f32() < 0.08 { cloth(rng) } else { pick(rng, &COMMON) }
}

fn shoes(rng: &mut Rng) -> Vec3 {
    pick(rng, &[(22, 20, 20), (30, 28, 28), (50, 40, 34), (84, 64, 46), (196, 196, 194), (120, 120, 122)])
}

fn skin(rng: &mut Rng) -> Vec3 {
    const TONES: [(u8, u8, u8); 7] = [
        (236, 200, 178),
        (224, 184, 158),
        (212, 168, 140),
        (190, 144, 112),
        (152, 108, 80),
        (112, 76, 56),
        (78, 52, 40),
    ];
    let (r, g, b) = TONES[rng.usize(0..TONES.len())];
    rgb(r, g, b) * (0.85 + 0.2 * rng.f32())
}

fn hair(rng: &mut Rng) -> Vec3 {
    pick(
        rng,
        &[
            (20, 18, 18),
            (30, 24, 22),
            (46, 34, 28),
            (72, 52, 38),
            (118, 88, 58),
            (168, 140, 98),
            (150, 148, 146),
            (104, 56, 34),
        ],
    )
}

fn vest(rng: &mut Rng) -> Vec3 {
    let faded = 0.7 + 0.3 * rng.f32();
    let tint = if rng.bool() { Vec3::new(0.62, 0.86, 0.06) } else { Vec3::new(0.95, 0.26, 0.03) };
    tint * faded
}

fn hat(rng: &mut Rng, working: bool) -> Hat {
    if working && rng.f32() < 0.55 {
        return Hat::Helmet;
    }
    match rng.f32() {
        x if x < 0.05 => Hat::Bald,
        x if x < 0.27 => Hat::Long,
        x if x < 0.37 => Hat::Cap,
        x if x < 0.44 => Hat::Beanie,
        x if x < 0.52 => Hat::Hood,
        x if x < 0.55 => Hat::Scarf,
        x if x < 0.57 => Hat::Helmet,
        _ => Hat::None,
    }
}

fn helmet(rng: &mut Rng) -> Vec3 {
    pick(rng, &[(240, 200, 30), (236, 234, 230), (240, 110, 30), (40, 80, 170), (190, 30, 30), (30, 30, 32)])
}

fn load(rng: &mut Rng) -> Vec3 {
    if rng.bool() { rgb(168, 128, 84) * (0.7 + 0.5 * rng.f32()) } else { cloth(rng) }
}
