//! Native launches, through the builder and through the C function.

use super::*;
use crate::prelude::*;

/// Counts what is above a threshold,
/// row by row.
///
/// This paragraph is not in the manifest.
#[kernel(
    sig = "(m,n)->(m)",
    split = "m",
    cost = "m*n*repeat",
    weight = "light",
    fuel = "1G",
    timeout = "10s",
    memory = "64MiB",
    default(threshold = -1.5, repeat = 1)
)]
fn count_above(x: View2<f32>, threshold: f32, repeat: u32, m: usize, out: &mut [u32]) {
    assert_eq!(m, out.len());
    for (i, out) in out.iter_mut().enumerate() {
        let above = x.row(i).iter().filter(|&&x| x > threshold).count();
        *out = u32::try_from(above).unwrap() * repeat;
    }
}

#[kernel(sig = "(n)->(n)", inout = "x")]
fn checked(scale: bool, x: &mut [Complex<f32>]) -> Result<(), std::num::ParseIntError> {
    if !scale {
        "no number".parse::<i32>()?;
    }
    assert!(x.len() < 5, "too long");
    x.iter_mut().for_each(|x| *x = x.scale(2.0));
    Ok(())
}

#[kernel(sig = "(n)->(n)")]
fn double(x: Chunks<u16>, mut out: ChunksMut<u16>) {
    for (i, block) in x.blocks(2).enumerate() {
        let doubled: Vec<u16> = block.iter().map(|x| 2 * x).collect();
        out.write(2 * i, &doubled);
    }
}

#[kernel(sig = "(n)->(n)")]
fn halve(mut x: ChunksInOut<u16>) {
    let halved: Vec<u16> = x.input().block(0..x.len()).iter().map(|x| x / 2).collect();
    x.output().write(0, &halved);
}

/// What `export!` makes of kernels' paths, without its C symbols, of which a program has one set.
const ENTRIES: &[&Entry] = &[
    &count_above__must_be_a_kernel_named_by_its_modules_path,
    &checked__must_be_a_kernel_named_by_its_modules_path,
    &double__must_be_a_kernel_named_by_its_modules_path,
    &halve__must_be_a_kernel_named_by_its_modules_path,
];

#[test]
fn a_kernel_runs_on_the_callers_slices() {
    let (x, mut out) = (vec![1.0_f32, -2.0, 3.0, 4.0], vec![9_u32; 2]);
    let launch = Launch::new(ENTRIES, "count_above").dim(2).dim(2);
    let launch = launch
        .scalar(0.0_f32)
        .scalar(10_u32)
        .input(&x)
        .output(&mut out);
    launch.run().unwrap();
    assert_eq!(out, [10, 20]);
}

#[test]
fn in_out_and_streams_run_too() {
    let mut x = vec![Complex::new(1.0_f32, -2.0)];
    Launch::new(ENTRIES, "checked")
        .dim(1)
        .scalar(true)
        .output(&mut x)
        .run()
        .unwrap();
    assert_eq!(x, [Complex::new(2.0, -4.0)]);
    let (x, mut out) = (vec![1_u16, 2, 3], vec![0_u16; 3]);
    Launch::new(ENTRIES, "double")
        .dim(3)
        .input(&x)
        .output(&mut out)
        .run()
        .unwrap();
    assert_eq!(out, [2, 4, 6]);
    let mut x = vec![8_u16, 5];
    let launch = Launch::new(ENTRIES, "halve").dim(2).output(&mut x);
    launch.run().unwrap();
    assert_eq!(x, [4, 2]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let launch = || Launch::new(ENTRIES, "double");
    let refused = |launch: Launch<'_>| launch.run().unwrap_err().to_string();
    let (x, short, mut out, mut wrong) = (
        vec![1_u16; 3],
        vec![1_u16; 2],
        vec![0_u16; 3],
        vec![0_i16; 3],
    );
    assert_eq!(
        refused(launch().input(&x).output(&mut out)),
        "argument `dimensions`: 0 given, but the entry has 1"
    );
    assert!(refused(launch().dim(3).input(&x)).contains("arrays"));
    assert!(refused(launch().dim(3).scalar(1_u32).input(&x).output(&mut out)).contains("scalars"));
    assert!(refused(launch().dim(3).input(&short).output(&mut out)).contains("`x`: 4 bytes"));
    assert_eq!(
        refused(launch().dim(3).input(&x).output(&mut wrong)),
        "argument `out`: an array of i16, but it is one of u16"
    );
    let zeros = vec![Complex::new(0.0_f32, 0.0); 3];
    let unwritable = Launch::new(ENTRIES, "checked").dim(3).scalar(true);
    assert!(refused(unwritable.input(&zeros)).contains("`x`: it is missing"));
}

#[test]
fn a_slice_off_the_alignment_is_refused() {
    let (x, mut counts) = (vec![0.0_f32; 8], vec![0_u32]);
    let launch = Launch::new(ENTRIES, "count_above").dim(1).dim(7);
    let launch = launch.scalar(0.0_f32).scalar(1_u32);
    let launch = launch.input(&x[1..]).output(&mut counts);
    let refusal = launch.run().unwrap_err().to_string();
    assert_eq!(
        refusal,
        "argument `x`: its memory is not aligned to 16 bytes"
    );
}

/// Calls the C function as a loader would.
fn launch_c(entry: &str, dims: &[u64], scalars: &[u64], arrays: &[NativeArray]) -> i32 {
    let request = Request {
        entry: Bytes {
            ptr: entry.as_ptr(),
            len: entry.len(),
        },
        dims: dims.as_ptr(),
        dims_len: dims.len(),
        scalars: scalars.as_ptr(),
        scalars_len: scalars.len(),
        arrays: arrays.as_ptr(),
        arrays_len: arrays.len(),
        chunk_start: 0,
        chunk_len: 1,
        chunk_total: 1,
    };
    symbols::tests::launch(ENTRIES, &request)
}

fn native_array<T>(elements: &mut [T]) -> NativeArray {
    NativeArray {
        ptr: elements.as_mut_ptr().cast(),
        len_bytes: size_of_val(elements),
    }
}

#[test]
fn the_c_function_runs_a_kernel_and_codes_its_errors() {
    let mut x = vec![Complex::new(1.0_f32, 0.0); 2];
    let arrays = [native_array(&mut x)];
    assert_eq!(launch_c("checked", &[2], &[1], &arrays), OK);
    assert_eq!(launch_c("nothing", &[2], &[1], &arrays), UNKNOWN_ENTRY);
    assert_eq!(launch_c("checked", &[3], &[1], &arrays), BAD_ARGUMENT);
    assert_eq!(launch_c("checked", &[2], &[], &arrays), BAD_ARGUMENT);
    assert_eq!(launch_c("checked", &[2], &[1], &[]), BAD_ARGUMENT);
    assert_eq!(
        launch_c("checked", &[2], &[1], &[arrays[0], arrays[0]]),
        BAD_ARGUMENT
    );
    assert_eq!(launch_c("checked", &[2], &[0], &arrays), FAILED);
    assert_eq!(x, [Complex::new(2.0, 0.0); 2]);
    let mut long = vec![Complex::new(1.0_f32, 0.0); 5];
    assert_eq!(
        launch_c("checked", &[5], &[1], &[native_array(&mut long)]),
        PANICKED
    );
}

#[test]
fn negative_scalars_survive_their_bits() {
    for value in [-1.5_f64, f64::MIN, 0.0] {
        assert_eq!(f64::from_bits(Scalar::from(value).to_bits()), value);
    }
    assert_eq!(Scalar::from(-1_i32).to_bits(), 0xffff_ffff);
    assert_eq!(<i32 as ScalarType>::from_bits(0xffff_fffe), -2);
    assert_eq!(
        <i64 as ScalarType>::from_bits(Scalar::from(i64::MIN).to_bits()),
        i64::MIN
    );
}

#[test]
fn the_record_says_what_the_attribute_says() {
    use hotcell_manifest::{Manifest, ScalarValue, Weight};
    let record: Vec<u8> = ENTRIES
        .iter()
        .flat_map(|entry| entry.record().to_vec())
        .collect();
    let manifest = Manifest::decode(&record).unwrap();
    let kernel = manifest.kernel("count_above").unwrap();
    assert_eq!(
        kernel.record().doc,
        "Counts what is above a threshold, row by row."
    );
    assert_eq!(
        (kernel.dims().join(","), kernel.split()),
        ("m,n".into(), Some("m"))
    );
    assert_eq!(kernel.weight(), Weight::Light);
    assert_eq!(kernel.wanted_fuel(), Some(1_000_000_000));
    assert_eq!(kernel.wanted_memory_bytes(), Some(64 << 20));
    assert_eq!(
        kernel.wanted_timeout(),
        Some(std::time::Duration::from_secs(10))
    );
    let names: Vec<_> = kernel
        .record()
        .parameters
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(names, ["x", "threshold", "repeat", "out"]);
    assert_eq!(kernel.scalars()[0].default, Some(ScalarValue::F32(-1.5)));
    assert_eq!(kernel.scalars()[1].default, Some(ScalarValue::U32(1)));
    let checked = manifest.kernel("checked").unwrap();
    assert_eq!(checked.arrays()[0].role, hotcell_manifest::Role::Inout);
    assert_eq!(
        checked.arrays()[0].dtype,
        hotcell_manifest::DType::Complex64
    );
}
