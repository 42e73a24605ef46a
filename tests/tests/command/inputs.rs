//! Input files that lie: exit code 3, one line that names the file, and no allocation on a file's word.

use super::with;
use hotcell_tests::{Command, npy};

/// Runs the honest guest on a file that is none; gives the line that it is told.
#[track_caller]
fn refused(command: &Command, locator: &str) -> String {
    let line = format!("run honest.wasm --in x=@{locator} --report r.json");
    let finished = command
        .run(&line)
        .exits(3)
        .says(&["hotcell: io: input `x`: "]);
    assert_eq!(command.report("r.json")["outcome"]["blame"], "request");
    finished.stderr
}

#[test]
fn malformed_npy_files_are_refused_by_name() {
    let command = with(&["honest"]);
    let honest = npy("|u1", &[4], &[1, 2, 3, 4]);
    let mut version = honest.clone();
    version[6] = 9;
    let mut long_header = honest.clone();
    long_header[8..10].copy_from_slice(&[0xff, 0xff]);
    for (name, bytes) in [
        ("empty.npy", Vec::new()),
        ("text.npy", b"1,2,3\n".to_vec()),
        ("cut.npy", honest[..40].to_vec()),
        ("short.npy", honest[..honest.len() - 1].to_vec()),
        ("version.npy", version),
        ("long_header.npy", long_header),
        ("objects.npy", npy("|O", &[1], &[0; 8])),
        ("text_items.npy", npy("<U3", &[1], &[0; 12])),
        ("unknown.npy", npy("<f3", &[1], &[0; 3])),
        ("huge.npy", npy("|u1", &[1 << 40], &[])),
        ("overflow.npy", npy("<f8", &[1 << 33, 1 << 33], &[])),
        ("overflow_zero.npy", npy("<f8", &[1 << 33, 1 << 33, 0], &[])),
        ("deep.npy", npy("|u1", &[1; 40], &[0])),
    ] {
        command.write(name, bytes);
        let line = refused(&command, name);
        assert!(line.contains(name), "{line}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_and_never_waited_for() {
    let command = with(&["honest"]);
    std::fs::create_dir(command.path("folder.npy")).unwrap();
    assert!(refused(&command, "folder.npy").contains("not a regular file"));
    let pipe = command.path("pipe.npy");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        return hotcell_tests::skip("no mkfifo here");
    }
    assert!(refused(&command, "pipe.npy").contains("not a regular file"));
}

#[test]
fn malformed_archives_are_refused_by_name() {
    let command = with(&["honest"]);
    let member = npy("|u1", &[4], &[1, 2, 3, 4]);
    let mut huge = zip("x.npy", &member);
    // The central directory's uncompressed size: 4 GiB less one byte.
    let directory = find(&huge, b"PK\x01\x02");
    huge[directory + 24..directory + 28].fill(0xfe);
    for (name, bytes) in [
        ("empty.npz", Vec::new()),
        ("text.npz", b"no archive".to_vec()),
        ("cut.npz", zip("x.npy", &member)[..60].to_vec()),
        ("huge.npz", huge),
        ("no_array.npz", zip("x.npy", b"no array")),
    ] {
        command.write(name, bytes);
        let line = refused(&command, &format!("{name}:x"));
        assert!(line.contains(name), "{line}");
    }
    command.write("good.npz", zip("x.npy", &member));
    assert!(refused(&command, "good.npz:y").contains("x"));
    command
        .run("run honest.wasm --in x=@good.npz:x --quiet")
        .exits(0);
}

#[test]
fn malformed_pictures_are_refused_by_name() {
    let command = with(&["honest"]);
    let header = |width: u32, height: u32| {
        let extents = [width.to_be_bytes(), height.to_be_bytes()].concat();
        let chunk = [b"IHDR", &extents[..], &[8, 2, 0, 0, 0]].concat();
        let crc = crc32(&chunk).to_be_bytes();
        [b"\x89PNG\r\n\x1a\n", &[0, 0, 0, 13][..], &chunk, &crc].concat()
    };
    let idat = [&[0, 0, 0, 0][..], b"IDAT", &crc32(b"IDAT").to_be_bytes()].concat();
    for (name, bytes) in [
        ("empty.png", Vec::new()),
        ("text.png", b"no picture".to_vec()),
        ("cut.png", header(4, 4)[..20].to_vec()),
        ("empty_picture.png", header(0, 0)),
        ("no_data.png", [header(4, 4), idat.clone()].concat()),
        (
            "huge.png",
            [header(0x7fff_ffff, 0x7fff_ffff), idat].concat(),
        ),
    ] {
        command.write(name, bytes);
        let line = refused(&command, name);
        assert!(line.contains(name), "{line}");
    }
}

#[test]
fn an_array_of_the_wrong_type_is_refused_with_what_to_do() {
    let command = with(&["honest"]);
    command.write("f.npy", npy("<f4", &[4], &[0; 16]));
    let finished = command.run("run honest.wasm --in x=@f.npy").exits(2);
    finished.says(&["input `x` is f32", "takes u8", "convert"]);
    command.write("m.npy", npy("|u1", &[2, 2], &[0; 4]));
    let finished = command.run("run honest.wasm --in x=@m.npy").exits(2);
    finished.says(&["u8(2,2)", "(n)", "ranks must match"]);
}

/// An archive of one stored member.
fn zip(name: &str, data: &[u8]) -> Vec<u8> {
    let len32 = |len: usize| u32::try_from(len).unwrap().to_le_bytes();
    let len16 = |len: usize| u16::try_from(len).unwrap().to_le_bytes();
    let sizes = [
        crc32(data).to_le_bytes(),
        len32(data.len()),
        len32(data.len()),
    ]
    .concat();
    let head = [
        &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &sizes,
        &len16(name.len()),
    ]
    .concat();
    let local = [b"PK\x03\x04", &head[..], &[0, 0], name.as_bytes(), data].concat();
    let zeros = [0; 14];
    let central = [
        b"PK\x01\x02",
        &[20, 0][..],
        &head,
        &zeros,
        &[0, 0],
        name.as_bytes(),
    ]
    .concat();
    let (size, offset) = (len32(central.len()), len32(local.len()));
    let end = [
        b"PK\x05\x06",
        &[0, 0, 0, 0, 1, 0, 1, 0][..],
        &size,
        &offset,
        &[0, 0],
    ]
    .concat();
    [local, central, end].concat()
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes
        .windows(what.len())
        .position(|window| window == what)
        .expect("it is there")
}

/// The CRC of PNG and zip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), bit);
    !bytes.iter().fold(!0, byte)
}

#[test]
fn components_nested_without_end_do_not_exhaust_the_hosts_stack() {
    let command = with(&[]);
    // Types deep enough for any stack; 300 KB of them.
    let depth = 100_000;
    // A component type whose only declaration is a component type, and so on; the same of module types.
    let nested = |section: u8, ty: u8| {
        let mut types = vec![1];
        types.extend([ty, 1, 1].repeat(depth));
        types.extend([ty, 0]);
        [
            b"\0asm\x0d\0\x01\0",
            &[section][..],
            &leb128(types.len()),
            &types,
        ]
        .concat()
    };
    command.write("components.wasm", nested(7, 0x41));
    command.write("instances.wasm", nested(7, 0x42));
    command.write("modules.wasm", nested(3, 0x50));
    let mut inner = b"\0asm\x0d\0\x01\0".to_vec();
    for _ in 0..2000 {
        inner = [b"\0asm\x0d\0\x01\0", &[4][..], &leb128(inner.len()), &inner].concat();
    }
    command.write("sections.wasm", inner);
    for name in ["components", "instances", "modules", "sections"] {
        let finished = command.run(&format!("inspect {name}.wasm"));
        assert!(
            finished.code.is_some(),
            "{name}: the host crashed: {}",
            finished.stderr
        );
        finished.exits(16).says(&["hotcell: "]);
        command
            .run(&format!("run {name}.wasm --quiet"))
            .exits(16)
            .says(&["invalid-component"]);
    }
}

fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
