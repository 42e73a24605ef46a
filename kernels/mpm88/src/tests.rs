//! Tests of the simulation: against f64, and against what physics conserves.

use super::*;
use reference::State;

const DT: f32 = 2e-4;

/// A state of `n` particles in free fall, each with its own velocity and compression.
struct Arrays {
    x: Vec<f32>,
    v: Vec<f32>,
    c: Vec<f32>,
    j: Vec<f32>,
}

impl Arrays {
    fn block(n: usize) -> Self {
        let mut arrays = Self {
            x: vec![0.0; 2 * n],
            v: vec![0.0; 2 * n],
            c: vec![0.0; 4 * n],
            j: vec![0.0; n],
        };
        let Arrays { x, v, c, j } = &mut arrays;
        scatter(&simulation::block(3)[..n], x, v, c, j);
        arrays
    }

    fn advance(&mut self, steps: u32) -> Result<(), String> {
        mpm88(
            DT,
            steps,
            &mut self.x,
            &mut self.v,
            &mut self.c,
            &mut self.j,
        )
    }
}

fn farthest(got: &[f32], want: &[f64]) -> f64 {
    let errors = got
        .iter()
        .zip(want)
        .map(|(got, want)| (f64::from(*got) - want).abs());
    errors.fold(0.0, f64::max)
}

#[test]
fn agrees_with_the_reference() {
    for (n, steps) in [(0, 3), (1, 40), (7, 40), (1000, 40), (PARTICLES, 50)] {
        let mut arrays = Arrays::block(n);
        arrays.j.iter_mut().step_by(3).for_each(|j| *j = 0.97);
        let state = State::new(&arrays.x, &arrays.v, &arrays.c, &arrays.j);
        let state = reference::mpm88(f64::from(DT), steps, state);
        arrays.advance(steps).unwrap();
        let errors = [
            (farthest(&arrays.x, &state.x), 1e-5),
            (farthest(&arrays.v, &state.v), 1e-3),
            (farthest(&arrays.c, &state.c), 1e-1),
            (farthest(&arrays.j, &state.j), 1e-4),
        ];
        for (error, bound) in errors {
            assert!(error < bound, "{n} particles: {errors:?}");
        }
    }
}

#[test]
fn free_fall_conserves_mass_and_momentum() {
    let mut particles = simulation::block(1);
    let mut grid = Grid::new();
    let mass = f64::from(PARTICLE_MASS) * PARTICLES as f64;
    let steps = 100;
    for _ in 0..steps {
        grid.advance(&mut particles, DT).unwrap();
    }
    let [px, py, on_grid] = grid.totals(&particles, DT);
    let fall = -1.0 - f64::from(steps) * f64::from(DT) * f64::from(GRAVITY);
    assert!(
        (on_grid / mass - 1.0).abs() < 1e-6,
        "mass {on_grid} of {mass}"
    );
    assert!((px / mass).abs() < 1e-5, "sideways at {}", px / mass);
    assert!(
        (py / mass - fall).abs() < 1e-4,
        "down at {}, not {fall}",
        py / mass
    );
}

#[test]
fn the_floor_stops_the_fall() {
    let mut arrays = Arrays::block(500);
    // A shallow layer just above the floor.
    for y in arrays.x.iter_mut().skip(1).step_by(2) {
        *y = 0.03 + 0.1 * (*y - 0.2);
    }
    arrays.advance(400).unwrap();
    // A particle stops at last where all three rows of its nodes are the wall's.
    let floor = (BOUND as f32 - 2.0) / GRID as f32;
    assert!(arrays.x.iter().all(|x| (floor..1.0 - floor).contains(x)));
    let speed = arrays.v.iter().skip(1).step_by(2).sum::<f32>() / 500.0;
    // Free fall would have reached 1.78.
    assert!(speed > -0.5, "still falling at {speed}");
}

#[test]
fn a_particle_off_the_grid_is_an_error() {
    for x in [
        [f32::NAN, 0.5],
        [0.5, -1.0],
        [0.999, 0.5],
        [0.5, f32::INFINITY],
    ] {
        let mut arrays = Arrays::block(1);
        arrays.x.copy_from_slice(&x);
        let refused = arrays.advance(1).unwrap_err();
        assert!(
            refused.starts_with("a particle has left the grid"),
            "{refused}"
        );
    }
}

#[test]
fn frames_show_the_block_falling() {
    let (t, h, w) = (3, 64, 64);
    let mut out = vec![0; t * h * w * 4];
    frames(DT, 1, t, h, w, &mut out).unwrap();
    let (pixels, _) = out.as_chunks::<4>();
    let mean_row = |frame: usize| {
        let frame = &pixels[frame * h * w..][..h * w];
        let rows: Vec<_> = (0..h * w)
            .filter(|&i| frame[i] == [0x06, 0x85, 0x87, 0xff])
            .collect();
        assert!(rows.len() > 400, "{} pixels of fluid", rows.len());
        rows.iter().map(|i| (i / w) as f64).sum::<f64>() / rows.len() as f64
    };
    // The block's middle is at height 0.4; after n steps it has fallen by n·dt·(1 + g·n·dt/2).
    for frame in 0..t {
        let time = frame as f64 * f64::from(STEPS_PER_FRAME) * f64::from(DT);
        let want = 64.0 * (0.6 + time * (1.0 + 4.9 * time)) - 0.5;
        assert!(
            (mean_row(frame) - want).abs() < 0.5,
            "frame {frame}: {}",
            mean_row(frame)
        );
    }
}

#[test]
fn no_frames_and_empty_frames_are_drawn_at_once() {
    frames(DT, 1, 0, 64, 64, &mut []).unwrap();
    frames(DT, 1, 2, 0, 64, &mut []).unwrap();
}

#[test]
fn frame_5_is_the_stored_picture() {
    let stored = std::io::Cursor::new(include_bytes!("../expected/frame-005.png"));
    let mut reader = png::Decoder::new(stored).read_info().unwrap();
    let mut picture = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut picture).unwrap();
    let mut out = vec![0; 6 * 256 * 256 * 4];
    frames(DT, 1, 6, 256, 256, &mut out).unwrap();
    assert!(out[5 * 256 * 256 * 4..] == picture);
}
