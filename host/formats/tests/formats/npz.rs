//! Members of archives, and archives that lie.

use crate::support::{bytes_for, chain, npy_of, read_bytes, read_in, ty, write_in};
use hotcell_formats::{DirectoryError, HeaderError, ReadError};
use hotcell_model::manifest::DType;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// An archive of the members, deflated.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, data) in members {
        zip.start_file(name, options).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Overwrites a field at an offset behind the last occurrence of a signature.
fn patch(archive: &mut [u8], signature: &[u8; 4], offset: usize, value: &[u8]) {
    let at = archive.windows(4).rposition(|w| w == signature).unwrap() + offset;
    archive[at..at + value.len()].copy_from_slice(value);
}

const ENTRY: &[u8; 4] = b"PK\x01\x02";
const END: &[u8; 4] = b"PK\x05\x06";

fn good() -> Vec<u8> {
    archive(&[(
        "x.npy",
        &npy_of("<f4", false, "(2,)", &[1, 2, 3, 4, 5, 6, 7, 8]),
    )])
}

/// The refusal of an archive, read as `a.npz:x`.
fn refusal(archive: &[u8]) -> DirectoryError {
    match read_bytes("a.npz:x", archive).unwrap_err() {
        ReadError::Archive { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn members_of_one_launch_become_one_archive_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (ty(DType::F16, &[2, 3]), ty(DType::Complex128, &[2]));
    let (x, y) = (bytes_for(DType::F16, 12), bytes_for(DType::Complex128, 32));
    let outputs = [
        ("o.npz:x", a.clone(), x.as_slice()),
        ("o.npz:layer/y", b.clone(), y.as_slice()),
    ];
    assert_eq!(write_in(directory.path(), &outputs).unwrap().len(), 1);
    assert_eq!(read_in(directory.path(), "o.npz:x").unwrap(), (a, x));
    assert_eq!(
        read_in(directory.path(), "o.npz:layer/y.npy").unwrap(),
        (b, y)
    );
}

#[test]
fn deflated_members_are_found_with_and_without_ending() {
    let array = npy_of("|u1", true, "(2, 2)", &[1, 2, 3, 4]);
    let bytes = archive(&[("plain", &array), ("w.npy", &array)]);
    for name in ["a.npz:plain", "a.npz:w", "a.npz:w.npy"] {
        assert_eq!(read_bytes(name, &bytes).unwrap().1, [1, 3, 2, 4]);
    }
}

#[test]
fn a_missing_member_lists_up_to_ten_that_are_there() {
    let names: Vec<_> = (0..12).map(|i| format!("m{i}\u{1b}[31m.npy")).collect();
    let members: Vec<_> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let text = chain(&read_bytes("a.npz:x", &archive(&members)).unwrap_err());
    assert!(text.contains("m9") && !text.contains("m10"), "{text}");
    assert!(
        text.contains("and 2 more") && !text.contains('\u{1b}'),
        "{text}"
    );
}

#[test]
fn a_bomb_is_refused_by_its_headers_size_or_by_the_limit() {
    let bomb = npy_of("|u1", false, "(16,)", &vec![0; 50 << 20]);
    let error = read_bytes("a.npz:x", &archive(&[("x.npy", &bomb)])).unwrap_err();
    assert!(matches!(error, ReadError::MemberSize { .. }), "{error:?}");
    let honest = npy_of("|u1", false, "(52428800,)", &vec![0; 50 << 20]);
    let error = read_bytes("a.npz:x", &archive(&[("x.npy", &honest)])).unwrap_err();
    let ReadError::TooLarge {
        requested, maximum, ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((requested, maximum), (50 << 20, 1 << 20));
}

#[test]
fn a_directory_that_lies_about_a_members_size_is_caught() {
    let array = npy_of("|u1", false, "(16,)", &[7; 4096]);
    let mut bytes = archive(&[("x.npy", &array)]);
    let claimed = u32::try_from(array.len() - 4080).unwrap();
    patch(&mut bytes, ENTRY, 24, &claimed.to_le_bytes());
    let error = read_bytes("a.npz:x", &bytes).unwrap_err();
    assert!(matches!(error, ReadError::TrailingData { .. }), "{error:?}");
}

#[test]
fn hostile_directories_are_refused() {
    use DirectoryError as E;
    type Case = (usize, &'static [u8; 4], Vec<u8>, fn(&E) -> bool);
    let table: [Case; 10] = [
        (8, ENTRY, vec![1], |e| matches!(e, E::Encrypted)),
        (10, ENTRY, vec![12, 0], |e| matches!(e, E::Method(12))),
        (16, ENTRY, vec![9; 4], |e| matches!(e, E::Checksum { .. })),
        (28, ENTRY, vec![0xff; 2], |e| matches!(e, E::Malformed(_))),
        (42, ENTRY, vec![1], |e| matches!(e, E::Malformed(_))),
        (20, ENTRY, vec![0xff, 0xff, 0xff, 0], |e| {
            matches!(e, E::Malformed(_))
        }),
        (4, END, vec![1], |e| matches!(e, E::Malformed(_))),
        (8, END, vec![0xff; 4], |e| {
            matches!(
                e,
                E::TooManyMembers {
                    requested: 65_535,
                    ..
                }
            )
        }),
        (12, END, vec![0xff; 4], |e| matches!(e, E::Malformed(_))),
        (20, END, vec![1, 0], |e| matches!(e, E::Malformed(_))),
    ];
    for (offset, signature, value, expected) in table {
        let mut bytes = good();
        patch(&mut bytes, signature, offset, &value);
        let error = refusal(&bytes);
        assert!(expected(&error), "{offset} {signature:?}: {error:?}");
    }
}

#[test]
fn a_zip64_record_of_a_billion_members_costs_nothing() {
    let mut bytes = good();
    let end = bytes.windows(4).rposition(|w| w == END).unwrap();
    let tail = bytes.split_off(end);
    let (members, offset) = (1_000_000_000u64.to_le_bytes(), end as u64);
    bytes.extend(b"PK\x06\x06");
    bytes.extend([
        44, 0, 0, 0, 0, 0, 0, 0, 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    bytes.extend([members, members, offset.to_le_bytes(), [0; 8]].concat());
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(offset.to_le_bytes());
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(tail);
    let error = refusal(&bytes);
    let expected = matches!(
        error,
        DirectoryError::TooManyMembers {
            requested: 1_000_000_000,
            ..
        }
    );
    assert!(expected, "{error:?}");
}

#[test]
fn members_of_one_name_are_refused() {
    let mut bytes = archive(&[("x.npy", b"a"), ("y.npy", b"b")]);
    patch(&mut bytes, ENTRY, 46, b"x");
    assert!(matches!(refusal(&bytes), DirectoryError::Duplicate));
}

#[test]
fn what_is_no_archive_and_no_array_is_said_so() {
    for bytes in [&b""[..], b"PK\x05\x06", &[0; 100_000]] {
        assert!(matches!(refusal(bytes), DirectoryError::Malformed(_)));
    }
    let error = read_bytes("a.npz:x", &archive(&[("x.npy", b"hello")])).unwrap_err();
    let ReadError::Header { source, .. } = error else {
        panic!("{error:?}");
    };
    assert!(matches!(source, HeaderError::NotNpy));
}
