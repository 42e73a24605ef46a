//! `.npy`: orders, byte orders, streaming, and what is refused.

use crate::support::{
    LIMITS, bytes_for, chain, locator, npy_of, open_in, read_bytes, read_in, ty, write_in,
};
use hotcell_formats::{Locator, ReadError, ReadLimits, open};
use hotcell_model::manifest::DType;
use std::os::unix::fs::FileExt;

#[test]
fn every_dtype_and_rank_round_trips() {
    let directory = tempfile::tempdir().unwrap();
    for dtype in DType::ALL {
        for shape in [&[][..], &[5], &[0, 3], &[2, 3, 4], &[1, 2, 1, 2]] {
            let ty = ty(dtype, shape);
            let data = bytes_for(dtype, ty.size_bytes());
            write_in(directory.path(), &[("x.npy", ty.clone(), &data)]).unwrap();
            assert_eq!(read_in(directory.path(), "x.npy").unwrap(), (ty, data));
        }
    }
}

#[test]
fn fortran_order_becomes_c_order() {
    // [[0, 1, 2], [3, 4, 5]], stored column by column.
    let file = npy_of("|u1", true, "(2, 3)", &[0, 3, 1, 4, 2, 5]);
    let (ty, data) = read_bytes("x.npy", &file).unwrap();
    assert_eq!(ty.shape(), [2, 3]);
    assert_eq!(data, [0, 1, 2, 3, 4, 5]);
    let empty = npy_of("<f8", true, "(3, 0, 2)", &[]);
    assert!(read_bytes("x.npy", &empty).unwrap().1.is_empty());
}

#[test]
fn big_endian_becomes_little_endian_part_by_part() {
    let table: [(&str, &[u8], &[u8]); 4] = [
        (">i2", &[1, 2], &[2, 1]),
        (">f4", &[1, 2, 3, 4], &[4, 3, 2, 1]),
        (">u8", &[1, 2, 3, 4, 5, 6, 7, 8], &[8, 7, 6, 5, 4, 3, 2, 1]),
        (">c8", &[1, 2, 3, 4, 5, 6, 7, 8], &[4, 3, 2, 1, 8, 7, 6, 5]),
    ];
    for (descr, stored, expected) in table {
        let file = npy_of(descr, false, "(1,)", stored);
        assert_eq!(read_bytes("x.npy", &file).unwrap().1, expected, "{descr}");
    }
}

#[test]
fn fortran_order_and_big_endian_combine() {
    let stored: Vec<u8> = [0u16, 3, 1, 4, 2, 5]
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .collect();
    let expected: Vec<u8> = (0u16..6).flat_map(u16::to_le_bytes).collect();
    let file = npy_of(">u2", true, "(2, 3)", &stored);
    assert_eq!(read_bytes("x.npy", &file).unwrap().1, expected);
}

#[test]
fn bools_other_than_zero_and_one_are_refused() {
    assert!(read_bytes("x.npy", &npy_of("|b1", false, "(2,)", &[0, 1])).is_ok());
    let error = read_bytes("x.npy", &npy_of("|b1", false, "(3,)", &[0, 1, 2])).unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::NotBool {
                index: 2,
                value: 2,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn data_cut_short_is_refused_with_both_numbers() {
    let error = read_bytes("x.npy", &npy_of("<f4", false, "(3,)", &[0; 11])).unwrap_err();
    let expected = |e: &ReadError| {
        matches!(
            e,
            ReadError::Truncated {
                requested: 12,
                available: 11,
                ..
            }
        )
    };
    assert!(expected(&error), "{error:?}");
}

#[test]
fn bytes_after_the_data_are_ignored_as_numpy_does() {
    let file = npy_of("|u1", false, "(2,)", &[7, 8, 9]);
    assert_eq!(read_bytes("x.npy", &file).unwrap().1, [7, 8]);
}

#[test]
fn shapes_beyond_memory_are_refused_without_allocating() {
    let overflow = npy_of("<f8", false, "(4294967296, 4294967296)", &[0; 64]);
    let error = read_bytes("x.npy", &overflow).unwrap_err();
    assert!(matches!(error, ReadError::Shape { .. }), "{error:?}");
    let zero = npy_of("<f8", false, "(0, 4294967296, 4294967296)", &[]);
    assert!(matches!(
        read_bytes("x.npy", &zero),
        Err(ReadError::Shape { .. })
    ));
    let ranks = npy_of("<f8", false, "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)", &[0; 8]);
    assert!(matches!(
        read_bytes("x.npy", &ranks),
        Err(ReadError::Shape { .. })
    ));
}

#[test]
fn an_array_above_the_limit_opens_for_streaming_but_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    let header = npy_of("<f4", false, "(1310720000,)", &[]);
    std::fs::write(&path, &header).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(header.len() as u64 + 5_242_880_000).unwrap();
    file.write_all_at(&[1, 2, 3, 4], header.len() as u64 + 5_242_879_996)
        .unwrap();

    let reader = open_in(directory.path(), "x.npy").unwrap();
    let (file, offset) = reader.as_file_range().unwrap().unwrap();
    let mut last = [0; 4];
    file.read_exact_at(&mut last, offset + reader.ty().size_bytes() - 4)
        .unwrap();
    assert_eq!(last, [1, 2, 3, 4]);
    let error = reader.read_all().unwrap_err();
    let ReadError::TooLarge {
        requested, maximum, ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((requested, maximum), (5_242_880_000, LIMITS.max_bytes));
}

#[test]
fn only_bytes_that_are_the_array_as_they_lie_are_a_file_range() {
    let table = [
        ("<f4", false, "(2, 2)", true),
        ("|V2", false, "(2, 2)", true),
        ("<f4", true, "(4,)", true),
        ("<f4", true, "(2, 2)", false),
        (">f4", false, "(2, 2)", false),
        ("|b1", false, "(2, 2)", true),
        ("|b1", true, "(2, 2)", false),
        ("|u1", true, "(4,)", true),
        ("float32", false, "(2, 2)", true),
        ("=f4", false, "(2, 2)", true),
        ("f4", true, "(2, 2)", false),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (descr, fortran, shape, expected) in table {
        let file = npy_of(descr, fortran, shape, &[0; 16]);
        std::fs::write(directory.path().join("x.npy"), file).unwrap();
        let reader = open_in(directory.path(), "x.npy").unwrap();
        assert_eq!(
            reader.as_file_range().unwrap().is_some(),
            expected,
            "{descr} {fortran}"
        );
    }
}

#[test]
fn streamed_bools_are_looked_at_to_their_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    let (header, len) = (npy_of("?", false, "(40000000,)", &[]), 40_000_000);
    std::fs::write(&path, &header).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(header.len() as u64 + len).unwrap();
    let reader = open_in(directory.path(), "x.npy").unwrap();
    assert!(reader.as_file_range().unwrap().is_some());
    file.write_all_at(&[3], header.len() as u64 + len - 1)
        .unwrap();
    let error = reader.as_file_range().unwrap_err();
    let last = |e: &ReadError| {
        matches!(
            e,
            ReadError::NotBool {
                index: 39_999_999,
                value: 3,
                ..
            }
        )
    };
    assert!(last(&error), "{error:?}");
    file.set_len(header.len() as u64 + 5).unwrap();
    let error = reader.as_file_range().unwrap_err();
    assert!(matches!(error, ReadError::Truncated { .. }), "{error:?}");
}

#[test]
fn an_array_that_cannot_be_streamed_is_told_how_it_could() {
    let directory = tempfile::tempdir().unwrap();
    let table = [
        (">f4", false, "big-endian", "'<f4'"),
        ("f8", true, "in Fortran order", "'<f8'"),
        (">c16", true, "big-endian and in Fortran order", "'<c16'"),
        ("?", true, "in Fortran order", "'<b1'"),
    ];
    for (descr, fortran, order, code) in table {
        let header = npy_of(descr, fortran, "(1048577, 2)", &[]);
        let path = directory.path().join("x.npy");
        std::fs::write(&path, &header).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(header.len() as u64 + (16 << 21) + 32).unwrap();
        let reader = open_in(directory.path(), "x.npy").unwrap();
        assert!(reader.as_file_range().unwrap().is_none());
        let text = reader.read_all().unwrap_err().to_string();
        let numbers = text.contains("maximum in memory 1048576");
        assert!(
            numbers && text.contains(order) && text.contains(code),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_regular_file_is_refused_without_blocking() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("d.npy")).unwrap();
    let fifo = directory.path().join("f.npy");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    std::os::unix::fs::symlink("/dev/zero", directory.path().join("z.npy")).unwrap();
    for name in ["d.npy", "f.npy", "z.npy"] {
        let error = open_in(directory.path(), name).unwrap_err();
        assert!(
            matches!(error, ReadError::NotAFile { .. }),
            "{name}: {error:?}"
        );
    }
    let missing = open_in(directory.path(), "none.npy").unwrap_err();
    assert!(matches!(missing, ReadError::Open { .. }));
}

#[test]
fn outputs_forms_are_not_read() {
    for text in ["@x.apng", "@x-{:04}.png"] {
        let locator = Locator::parse(text).unwrap();
        let error = open(&locator, &ReadLimits::default()).unwrap_err();
        assert!(matches!(error, ReadError::OutputOnly { .. }));
    }
}

#[test]
fn pickles_are_never_loaded_and_the_message_says_what_to_do() {
    let error = read_bytes(
        "x.npy",
        &npy_of("|O", false, "(1,)", b"\x80\x03cos\nsystem\n"),
    );
    let text = chain(&error.unwrap_err());
    assert!(text.contains("x.npy") && text.contains("astype"), "{text}");
}

#[test]
fn a_file_that_shrinks_after_opening_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    for fortran in [false, true] {
        std::fs::write(&path, npy_of("<f4", fortran, "(8, 8)", &[0; 256])).unwrap();
        let reader = open(&locator(directory.path(), "x.npy"), &LIMITS).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(100).unwrap();
        let error = reader.read_all().unwrap_err();
        assert!(
            matches!(error, ReadError::Truncated { requested: 256, .. }),
            "{error:?}"
        );
    }
}
