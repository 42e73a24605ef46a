//! Particles as discs, in the colours of Taichi's example.

use crate::simulation::Particle;

/// Colour behind the particles: 0x112F41.
const BACKGROUND: [u8; 4] = [0x11, 0x2f, 0x41, 0xff];

/// Colour of a particle: 0x068587.
const FLUID: [u8; 4] = [0x06, 0x85, 0x87, 0xff];

/// A disc's radius on a picture 512 pixels high.
const RADIUS: f32 = 1.5;

/// Draws the unit square over `h` × `w` RGBA pixels, y upwards.
pub(crate) fn draw(particles: &[Particle], h: usize, w: usize, frame: &mut [u8]) {
    let (pixels, _) = frame.as_chunks_mut::<4>();
    pixels.fill(BACKGROUND);
    let radius = (RADIUS * h as f32 / 512.0).max(0.5);
    for particle in particles {
        let (x, y) = (particle.x[0] * w as f32, (1.0 - particle.x[1]) * h as f32);
        for row in span(y, radius, h) {
            for column in span(x, radius, w) {
                let (dx, dy) = (column as f32 + 0.5 - x, row as f32 + 0.5 - y);
                if dx * dx + dy * dy <= radius * radius {
                    pixels[row * w + column] = FLUID;
                }
            }
        }
    }
}

/// The pixels of an axis that a disc may touch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which clips the disc to the picture"
)]
fn span(centre: f32, radius: f32, extent: usize) -> std::ops::Range<usize> {
    let first = (centre - radius).floor() as usize;
    let end = (centre + radius).ceil() as usize;
    first..end.min(extent)
}
