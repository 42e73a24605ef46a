//! What a frame is made of beside its pixels, for both forms of the kernel.

/// The imaginary part of c at time `t`; the real part is always −0.8.
///
/// Rounded once from f64, so that the f32 does not hang on whose cosine it is.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounds to the precision of the iteration"
)]
pub(crate) fn constant_at(time: f64) -> f32 {
    (0.2 * time.cos()) as f32
}

/// The colour of each iteration count up to `limit`: brightness 1 − n/limit, tinted blue.
pub(crate) fn palette(limit: u32) -> Vec<[u8; 4]> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "levels lie between 0 and 1"
    )]
    let byte = |level: f64| (255.0 * level).round() as u8;
    let colour = |n| {
        let level = 1.0 - f64::from(n) / f64::from(limit.max(1));
        [
            byte(level * level * level),
            byte(level * level),
            byte(level),
            255,
        ]
    };
    (0..=limit).map(colour).collect()
}
