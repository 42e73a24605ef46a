//! What people type and what other programs write, as values.

use super::{IN, with};
use hotcell_manifest::{DType, Parameter, Role};
use hotcell_tests::{Command, Guest, npy, read_npy};

/// The honest guest with a scalar `a` of that type.
fn with_scalar(dtype: DType) -> Command {
    let command = with(&[]);
    let guest = Guest::named("honest").record(|record| {
        record.parameters.push(Parameter {
            name: "a".to_owned(),
            role: Role::Scalar,
            dtype,
            default: None,
            halo: 0,
        });
    });
    command.guest("scalar", &guest);
    command
}

/// The honest guest of another signature.
fn with_signature(name: &str, signature: &str) -> Command {
    let command = with(&[]);
    let guest = Guest::named("honest").record(|record| record.signature = signature.to_owned());
    command.guest(name, &guest);
    command
}

#[test]
fn an_array_is_read_however_its_dtype_is_spelt() {
    let command = with(&["honest"]);
    for descr in ["|u1", "u1", "=u1", "<u1", ">u1", "B", "uint8", "ubyte"] {
        command.write("s.npy", npy(descr, &[3], &[1, 2, 3]));
        command
            .run("run honest.wasm --in x=@s.npy --out out=@o.npy --quiet")
            .exits(0);
        assert_eq!(read_npy(command.path("o.npy")), [1, 2, 3], "{descr}");
    }
    command.write("s.npy", npy("<uint8", &[3], &[1, 2, 3]));
    let finished = command.run("run honest.wasm --in x=@s.npy").exits(3);
    finished.says(&["s.npy", "write `<u1`"]);
}

#[test]
fn a_number_beyond_its_type_is_refused_by_the_name_of_the_scalar() {
    for (dtype, text, range) in [
        (DType::F32, "1e39", "3.4028235e38"),
        (DType::F32, "-3.5e38", "-inf"),
        (DType::F64, "1e400", "1.7976931348623157e308"),
        (DType::I32, "3000000000", "-2147483648 to 2147483647"),
        (DType::U32, "-1", "0 to 4294967295"),
        (DType::I64, "1e19", "9223372036854775807"),
        (DType::U64, "0x10000000000000000", "18446744073709551615"),
        (DType::I32, "1.5", "a whole number"),
        (DType::Bool, "yes", "true or false"),
    ] {
        let command = with_scalar(dtype);
        let line = format!("run scalar.wasm {IN} --in a={text} --report r.json");
        command.run(&line).exits(2).says(&["`a`", text, range]);
        assert_eq!(command.report("r.json")["outcome"]["blame"], "request");
    }
}

#[test]
fn a_number_is_taken_in_the_notation_that_it_is_written_in() {
    for (dtype, text, expected) in [
        (DType::I32, "1e5", "{\"i32\":100000}"),
        (DType::U32, "0xff", "{\"u32\":255}"),
        (DType::I64, "-1_000", "{\"i64\":-1000}"),
        (DType::F32, "1e-50", "{\"f32\":0.0}"),
        (DType::F32, "3.4e38", "{\"f32\":3.4e+38}"),
        (DType::F32, "inf", "{\"f32\":\"inf\"}"),
        (DType::F64, "nan", "{\"f64\":\"NaN\"}"),
        (DType::Bool, "True", "{\"bool\":true}"),
    ] {
        let command = with_scalar(dtype);
        let line = format!("run scalar.wasm {IN} --in a={text} --quiet --report r.json");
        command.run(&line).exits(0);
        let scalar = command.report("r.json")["scalars"]["a"].to_string();
        assert_eq!(scalar, expected, "{text}");
    }
}

#[test]
fn a_dimension_beyond_32_bits_is_the_requests_fault_before_anything_runs() {
    let command = with_signature("free", "(n)->(m)");
    for extent in ["4294967296", "0x1_0000_0000", "18446744073709551615"] {
        let line = format!("run free.wasm {IN} --dim m={extent} --report r.json");
        let finished = command.run(&line).exits(2);
        finished.says(&["dimension `m`", "maximum 4294967295"]);
        let report = command.report("r.json");
        assert_eq!(report["outcome"]["blame"], "request");
        assert_eq!(report["usage"]["instances"], 0);
    }
    for (extent, expected) in [
        ("18446744073709551616", "out of range"),
        ("-1", "out of range"),
        ("1.5", "whole number"),
        ("many", "whole number"),
    ] {
        let finished = command.run(&format!("run free.wasm {IN} --dim m={extent}"));
        finished.exits(2).says(&["--dim m", expected]);
    }
}

#[test]
fn an_array_of_more_than_32_bits_of_elements_is_the_requests_fault() {
    let command = with(&["honest"]);
    let elements = (1_u64 << 32) + 1;
    command.write("x.npy", npy("|u1", &[elements], &[]));
    let file = std::fs::File::options()
        .write(true)
        .open(command.path("x.npy"));
    let file = file.unwrap();
    // A hole: it takes no disk.
    file.set_len(128 + elements).unwrap();
    let finished = command.run(&format!("run honest.wasm {IN} --report r.json"));
    finished.exits(2).says(&["dimension `n`", "input `x`"]);
    assert_eq!(command.report("r.json")["outcome"]["blame"], "request");
}

#[test]
fn a_gray_picture_has_the_channel_axis_that_the_kernel_asks_for() {
    let command = with_signature("axis", "(h,w,c)->(h,w,c)");
    command.write("gray.npy", npy("|u1", &[2, 3, 1], &[0, 1, 2, 3, 4, 5]));
    command
        .run("run axis.wasm --in x=@gray.npy --out out=@once.png --quiet")
        .exits(0);
    command
        .run("run axis.wasm --in x=@once.png --out out=@twice.npy --quiet --report r.json")
        .exits(0);
    assert_eq!(read_npy(command.path("twice.npy")), [0, 1, 2, 3, 4, 5]);
    let argument = &command.report("r.json")["arguments"][0];
    assert_eq!(argument["shape"], serde_json::json!([2, 3, 1]));
    // The same file for a kernel that takes no axis.
    command.guest("flat", &with_rank("(h,w)->(h,w)"));
    command
        .run("run flat.wasm --in x=@once.png --out out=@flat.png --quiet")
        .exits(0);
    // An array is no picture: its axes are what its writer said.
    command.write("flat.npy", npy("|u1", &[2, 3], &[0; 6]));
    let finished = command.run("run axis.wasm --in x=@flat.npy").exits(2);
    finished.says(&["u8(2,3)", "(h,w,c)", "ranks must match"]);
}

#[test]
fn a_picture_of_other_channels_is_told_what_to_do() {
    let command = with_signature("axis", "(h,w,c)->(h,w,c)");
    command.guest("flat", &with_rank("(h,w)->(h,w)"));
    command.guest("colour", &with_rank("(h,w,3)->(h,w,3)"));
    for (channels, data) in [
        (1, vec![7; 4]),
        (2, vec![7; 8]),
        (3, vec![7; 12]),
        (4, vec![7; 16]),
    ] {
        command.write("a.npy", npy("|u1", &[2, 2, channels], &data));
        let made = format!("c{channels}.png");
        command
            .run(&format!(
                "run axis.wasm --in x=@a.npy --out out=@{made} --quiet"
            ))
            .exits(0);
        for (guest, fits) in [
            ("axis", true),
            ("flat", channels == 1),
            ("colour", channels == 3),
        ] {
            let finished = command.run(&format!("run {guest}.wasm --in x=@{made} --quiet"));
            match fits {
                true => finished.exits(0),
                false => finished.exits(2).says(&["convert the picture"]),
            };
        }
    }
}

fn with_rank(signature: &str) -> Guest {
    Guest::named("honest").record(|record| record.signature = signature.to_owned())
}

#[test]
fn a_component_that_is_not_granted_what_it_imports_is_not_compiled_either() {
    let command = with(&["wants_clock", "wants_random"]);
    for capability in ["clock", "random"] {
        let run = command
            .run(&format!("run wants_{capability}.wasm {IN}"))
            .exits(15);
        let compile = command
            .run(&format!("compile wants_{capability}.wasm"))
            .exits(15);
        assert_eq!(compile.stderr, run.stderr);
        command
            .run(&format!(
                "compile wants_{capability}.wasm --grant {capability}"
            ))
            .exits(0);
    }
    let deterministic =
        command.run("compile wants_clock.wasm --grant clock --metering deterministic");
    deterministic.exits(15).says(&["clock", "strict"]);
}
