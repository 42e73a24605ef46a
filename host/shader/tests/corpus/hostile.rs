//! Hostile shaders as admission and the fuel pass see them: no device is needed to refuse them.

use crate::generated;
use crate::header::{Expected, Shader, load};
use hotcell_model::limit::Limit;
use hotcell_shader::admission::{AdmissionLimits, Admitted, ShaderRefusal, admit};
use hotcell_shader::fuel::{FuelOptions, Instrumented, instrument};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The environment's word for the bomb to run.
const BOMB: &str = "HOTCELL_CORPUS_BOMB";
/// How long one shader may keep admission and the pass busy in an unoptimised build.
const PATIENCE: Duration = Duration::from_secs(10);

fn admit_shader(shader: &Shader) -> Result<Admitted, ShaderRefusal> {
    admit(
        &shader.wgsl,
        shader.entry(),
        &shader.constants(),
        &AdmissionLimits::by_default(),
    )
}

fn check_refused(shader: &Shader, expected: &Expected) -> Result<(), String> {
    let Err(refusal) = admit_shader(shader) else {
        return Err("it is admitted".to_owned());
    };
    let message = refusal.to_string();
    let part = match expected {
        Expected::Limit(limit) => format!("limit {limit}: "),
        Expected::Refused(part) => part.clone(),
        _ => String::new(),
    };
    if message.contains(char::is_control) || !message.contains(&part) {
        return Err(format!("{message:?} is not the refusal {part:?}"));
    }
    Ok(())
}

/// What the dispatch of its first line costs beforehand.
fn static_fuel(shader: &Shader, instrumented: &Instrumented) -> u64 {
    let size = instrumented
        .module
        .entry_points
        .iter()
        .flat_map(|point| point.workgroup_size);
    let invocations = size.chain(shader.numbers("workgroups"));
    invocations.fold(instrumented.static_fuel, |product, axis| {
        product.saturating_mul(u64::from(axis))
    })
}

fn check_bounded(shader: &Shader, expected: &Expected) -> Result<(), String> {
    let admitted = admit_shader(shader).map_err(|refusal| refusal.to_string())?;
    let instrumented =
        instrument(&admitted, FuelOptions::default()).map_err(|error| error.to_string())?;
    match expected {
        Expected::Fuel if !instrumented.is_dynamic => Err("it has no meter".to_owned()),
        Expected::Limit(Limit::GpuFuel) => {
            let (charge, fuel) = (
                static_fuel(shader, &instrumented),
                shader.numbers("fuel")[0],
            );
            let is_enough = charge > fuel;
            is_enough
                .then_some(())
                .ok_or_else(|| format!("it is charged {charge} only"))
        }
        _ => Ok(()),
    }
}

#[test]
fn there_are_forty_hostile_shaders_and_each_says_how_it_ends() {
    let shaders = load("hostile");
    assert!(shaders.len() >= 40, "{} hostile shaders", shaders.len());
    for shader in shaders {
        let expected = Expected::of(&shader);
        assert_eq!(
            shader.numbers::<u32>("workgroups").len(),
            3,
            "{}",
            shader.name
        );
        assert_eq!(shader.numbers::<u64>("fuel").len(), 1, "{}", shader.name);
        let unchecked = shader.field("unchecked").unwrap_or_default();
        assert!(
            ["timeout", "ends", "ends or timeout", "any", "none"].contains(&unchecked),
            "{}",
            shader.name
        );
        let allowed = shader.numbers::<u32>("allowed");
        assert_eq!(
            expected == Expected::Clamped,
            !allowed.is_empty(),
            "{}",
            shader.name
        );
    }
}

/// What is wrong with how a shader fares before a session hears of it, if anything is.
fn check(shader: &Shader) -> Result<(), String> {
    let expected = Expected::of(shader);
    if expected.is_refused_at_admission(shader) {
        check_refused(shader, &expected)
    } else if matches!(expected, Expected::Refused(_)) {
        Ok(())
    } else {
        check_bounded(shader, &expected)
    }
}

#[test]
fn hostile_shaders_are_refused_or_bounded_without_a_device() {
    let (mut slowest, mut wrong) = ((Duration::ZERO, String::new()), Vec::new());
    for shader in load("hostile") {
        let start = Instant::now();
        wrong.extend(
            check(&shader)
                .err()
                .map(|why| format!("{}: {why}", shader.name)),
        );
        slowest = slowest.max((start.elapsed(), shader.name));
    }
    println!("slowest: {} in {:?}", slowest.1, slowest.0);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(slowest.0 < PATIENCE, "{} took {:?}", slowest.1, slowest.0);
}

#[test]
#[ignore = "the process that another test starts for one bomb"]
fn one_bomb() {
    let Ok(name) = std::env::var(BOMB) else {
        return;
    };
    let bombs = generated::bombs();
    let (_, wgsl) = bombs
        .iter()
        .find(|(bomb, _)| *bomb == name)
        .expect("it has that name");
    let start = Instant::now();
    let outcome = match admit(wgsl, "main", &[], &AdmissionLimits::by_default()) {
        Err(refusal) => refusal.to_string(),
        Ok(admitted) => match instrument(&admitted, FuelOptions::default()) {
            Ok(_) => "bounded".to_owned(),
            Err(error) => panic!("{error}"),
        },
    };
    println!("\n{} bytes, {:?}: {outcome}", wgsl.len(), start.elapsed());
}

/// Runs one bomb in a process of its own; how it ended, and whether that was well and in time.
fn explode(name: &str) -> (bool, String) {
    let mut child = Command::new(std::env::current_exe().expect("this test is a program"))
        .args([
            "--exact",
            "hostile::one_bomb",
            "--include-ignored",
            "--nocapture",
        ])
        .env(BOMB, name)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program can be started");
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end && child.try_wait().expect("it is ours").is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let in_time = child.try_wait().expect("it is ours").is_some();
    // Fails only where it is over already.
    let _ = child.kill();
    let output = child.wait_with_output().expect("it is ours");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text
        .lines()
        .find(|line| line.contains(" bytes, "))
        .unwrap_or("nothing");
    let how = if in_time { "" } else { " (too late)" };
    let is_well = in_time && output.status.success();
    (is_well, format!("{name}: {said}, {}{how}", output.status))
}

#[test]
fn generated_bombs_are_refused_or_bounded_in_time() {
    let mut wrong = Vec::new();
    for (name, _) in generated::bombs() {
        let (is_well, how) = explode(name);
        println!("{how}");
        wrong.extend((!is_well).then_some(how));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn megabytes_of_wgsl_are_refused_by_their_size() {
    let wgsl = generated::megabytes();
    let start = Instant::now();
    let refusal =
        admit(&wgsl, "main", &[], &AdmissionLimits::by_default()).expect_err("it is too long");
    assert!(
        refusal.to_string().starts_with("limit gpu_shader_bytes: 4"),
        "{refusal}"
    );
    assert!(
        start.elapsed() < Duration::from_millis(100),
        "{:?}",
        start.elapsed()
    );
}
