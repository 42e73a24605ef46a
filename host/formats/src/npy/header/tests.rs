use super::*;

/// Whether an error is the one that a table expects.
type Expected = fn(&HeaderError) -> bool;

/// A header file of version 1.0 around a dictionary.
fn file(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap();
    [
        b"\x93NUMPY\x01\x00",
        len.to_le_bytes().as_slice(),
        text.as_bytes(),
    ]
    .concat()
}

fn read(text: &str) -> Result<Header, HeaderError> {
    Header::read(&mut file(text).as_slice())
}

fn with_descr(descr: &str) -> Result<Header, HeaderError> {
    read(&format!(
        "{{'descr': {descr}, 'fortran_order': False, 'shape': (3,), }}\n"
    ))
}

fn with_shape(shape: &str) -> Result<Header, HeaderError> {
    read(&format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"
    ))
}

#[test]
fn every_dtype_reads_back_what_is_written() {
    for dtype in DType::ALL {
        for shape in [vec![], vec![3], vec![0, 7], vec![2, 3, 4, 5]] {
            let ty = ArrayType::new(dtype, shape.clone()).unwrap();
            let bytes = encode(&ty);
            assert_eq!(bytes.len() % DATA_ALIGNMENT, 0);
            let expected = Header {
                dtype,
                big_endian: false,
                fortran_order: false,
                shape,
                data_offset: bytes.len() as u64,
            };
            assert_eq!(Header::read(&mut bytes.as_slice()).unwrap(), expected);
        }
    }
}

#[test]
fn the_written_bytes_are_those_of_numpy_save() {
    let ty = ArrayType::new(DType::F32, [3, 4]).unwrap();
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
    let expected = format!("{text}{}\n", " ".repeat(128 - 10 - text.len() - 1));
    assert_eq!(encode(&ty), file(&expected));
}

#[test]
fn the_spellings_of_other_writers_are_understood() {
    let table = [
        "{\"shape\": (3, 4), \"fortran_order\": True, \"descr\": \">c16\"}",
        "{ 'shape':(3L,4L) ,'descr' :'>c16','fortran_order':True,}   \n",
    ];
    for text in table {
        let header = read(text).unwrap();
        assert_eq!((header.dtype, header.big_endian), (DType::Complex128, true));
        assert!(header.fortran_order);
        assert_eq!(header.shape, [3, 4]);
    }
    for (version, prefix) in [(2, 12), (3, 12)] {
        let text = b"{'descr': '|u1', 'fortran_order': False, 'shape': ()}";
        let len = u32::try_from(text.len()).unwrap().to_le_bytes();
        let bytes = [b"\x93NUMPY", [version, 0].as_slice(), &len, text].concat();
        let header = Header::read(&mut bytes.as_slice()).unwrap();
        assert_eq!(header.data_offset, prefix + text.len() as u64);
        assert_eq!(header.shape, [0; 0]);
    }
}

#[test]
fn bf16_is_two_opaque_bytes_in_either_spelling() {
    for descr in ["'<V2'", "'|V2'", "'=V2'", "'V2'"] {
        assert_eq!(with_descr(descr).unwrap().dtype, DType::Bf16);
    }
    for descr in ["'>V2'", "'<V4'", "'|V'"] {
        assert!(
            matches!(with_descr(descr), Err(HeaderError::DType(_))),
            "{descr}"
        );
    }
}

#[test]
fn dtypes_that_are_no_numbers_say_what_to_do() {
    use HeaderError as E;
    let table: [(&str, Expected); 14] = [
        ("'|O'", |e| matches!(e, E::Objects)),
        ("'O8'", |e| matches!(e, E::Objects)),
        ("[('a', '<f4'), ('b', '<i4')]", |e| {
            matches!(e, E::Structured)
        }),
        ("('<f4', (2,))", |e| matches!(e, E::Structured)),
        ("'<U7'", |e| matches!(e, E::Strings(_))),
        ("'|S3'", |e| matches!(e, E::Strings(_))),
        ("'<M8[ns]'", |e| matches!(e, E::Times(_))),
        ("'<m8[s]'", |e| matches!(e, E::Times(_))),
        ("'<f16'", |e| matches!(e, E::DType(_))),
        ("'<c32'", |e| matches!(e, E::DType(_))),
        ("'<float32'", |e| matches!(e, E::Order { .. })),
        ("'f4,f4'", |e| matches!(e, E::Structured)),
        ("'f4 '", |e| matches!(e, E::DType(_))),
        ("''", |e| matches!(e, E::DType(_))),
    ];
    for (descr, expected) in table {
        let error = with_descr(descr).unwrap_err();
        assert!(expected(&error), "{descr}: {error:?}");
    }
}

#[test]
fn hostile_shapes_are_refused() {
    use HeaderError as E;
    let table: [(String, Expected); 13] = [
        ("(-1,)".into(), |e| matches!(e, E::NegativeDimension)),
        ("(18446744073709551616,)".into(), |e| {
            matches!(e, E::DimensionTooLarge)
        }),
        (format!("({},)", "9".repeat(60_000)), |e| {
            matches!(e, E::DimensionTooLarge)
        }),
        (format!("({})", "1,".repeat(65)), |e| {
            matches!(e, E::TooManyDimensions { .. })
        }),
        (format!("({})", "(".repeat(60_000)), |e| {
            matches!(e, E::Syntax { .. })
        }),
        ("(3)".into(), |e| matches!(e, E::Syntax { .. })),
        ("3".into(), |e| matches!(e, E::Syntax { .. })),
        ("[3]".into(), |e| matches!(e, E::Syntax { .. })),
        ("(03,)".into(), |e| matches!(e, E::Syntax { .. })),
        ("(3,,4)".into(), |e| matches!(e, E::Syntax { .. })),
        ("(3 4)".into(), |e| matches!(e, E::Syntax { .. })),
        ("(1e3,)".into(), |e| matches!(e, E::Syntax { .. })),
        ("(0x3,)".into(), |e| matches!(e, E::Syntax { .. })),
    ];
    for (shape, expected) in table {
        let error = with_shape(&shape).unwrap_err();
        assert!(expected(&error), "{:.40}: {error:?}", shape);
    }
    assert_eq!(
        with_shape("(18446744073709551615,)").unwrap().shape,
        [u64::MAX]
    );
}

#[test]
fn malformed_dictionaries_are_refused() {
    let table = [
        "",
        "\0",
        "{",
        "}",
        "{}",
        "{'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': Falsey, 'shape': (3,)}",
        "{'descr': '<f\\x34', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': False 'shape': (3,)}",
        "{'descr': '<f4\0', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}\0",
        "{'d\u{e9}scr': '<f4', 'fortran_order': False, 'shape': (3,)}",
        "{{{{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
    ];
    for text in table {
        let error = read(text).unwrap_err();
        let named = matches!(
            error,
            HeaderError::Syntax { .. } | HeaderError::Key(_) | HeaderError::MissingKey(_)
        );
        assert!(named, "{text:?}: {error:?}");
    }
}

#[test]
fn prefixes_and_lengths_that_lie_are_refused_before_the_text_is_read() {
    use HeaderError as E;
    let table: [(&[u8], Expected); 8] = [
        (b"", |e| matches!(e, E::NotNpy)),
        (b"\x93NUM", |e| matches!(e, E::NotNpy)),
        (b"PK\x03\x04aaaaaaaaa", |e| matches!(e, E::NotNpy)),
        (b"\x93NUMPY\x04\x00\x01\x00{", |e| {
            matches!(e, E::Version { major: 4, .. })
        }),
        (b"\x93NUMPY\x01\x01\x01\x00{", |e| {
            matches!(e, E::Version { minor: 1, .. })
        }),
        (b"\x93NUMPY\x01\x00\x01", |e| matches!(e, E::Truncated)),
        (b"\x93NUMPY\x01\x00\xff\xff{", |e| matches!(e, E::Truncated)),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", |e| {
            matches!(
                e,
                E::TooLong {
                    requested: 0xffff_ffff,
                    maximum: 65_536
                }
            )
        }),
    ];
    for (bytes, expected) in table {
        let error = Header::read(&mut &bytes[..]).unwrap_err();
        assert!(expected(&error), "{bytes:?}: {error:?}");
    }
}
