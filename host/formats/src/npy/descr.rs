//! The `descr` of a `.npy` header: every way in which NumPy spells a dtype that hotcell has.
//!
//! `numpy.save` writes `<f4`, but files are written by hand too, and `numpy.load` hands whatever they say to
//! `numpy.dtype`. A code (`f4`, `d`) may have a byte order before it, of which `=`, `|` and none at all mean the
//! machine's own; a name (`float32`, `double`) has none. The machine's own is little-endian: hotcell runs on no other.
//! Source: `numpy.sctypeDict` and `numpy.typecodes`; the platform's integers are those of 64-bit Linux. `numpy.txt`
//! beside the tests has what NumPy itself says of each spelling.

use super::header::HeaderError;
use hotcell_model::manifest::DType;

/// A dtype, and whether its elements are big-endian.
pub(super) fn parse(descr: &str) -> Result<(DType, bool), HeaderError> {
    let (order, kind) = match descr.as_bytes().first() {
        Some(b'<' | b'>' | b'=' | b'|') => descr.split_at(1),
        _ => ("", descr),
    };
    match (order, coded(kind), named(kind)) {
        // Opaque bytes have no order that NumPy would keep.
        (">", Some(DType::Bf16), _) => Err(refuse(descr, kind)),
        (order, Some(dtype), _) => Ok((dtype, order == ">" && dtype.size_bytes() > 1)),
        ("", None, Some(dtype)) => Ok((dtype, false)),
        (order, None, Some(dtype)) => Err(HeaderError::Order {
            descr: descr.to_owned(),
            order: order.to_owned(),
            code: code(dtype),
        }),
        (_, None, None) => Err(refuse(descr, kind)),
    }
}

/// NumPy's kind and size of a dtype: what is written.
pub(crate) fn code(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "b1",
        DType::I8 => "i1",
        DType::I16 => "i2",
        DType::I32 => "i4",
        DType::I64 => "i8",
        DType::U8 => "u1",
        DType::U16 => "u2",
        DType::U32 => "u4",
        DType::U64 => "u8",
        DType::F16 => "f2",
        // ml_dtypes' bfloat16 is stored by NumPy as two opaque bytes.
        DType::Bf16 => "V2",
        DType::F32 => "f4",
        DType::F64 => "f8",
        DType::Complex64 => "c8",
        DType::Complex128 => "c16",
    }
}

/// The dtype of a code, which a byte order may precede: a kind with its size, or one of C's types as a letter.
fn coded(kind: &str) -> Option<DType> {
    Some(match kind {
        "?" => DType::Bool,
        "b" => DType::I8,
        "B" => DType::U8,
        "h" => DType::I16,
        "H" => DType::U16,
        "i" => DType::I32,
        "I" => DType::U32,
        "l" | "q" | "n" | "p" => DType::I64,
        "L" | "Q" | "N" | "P" => DType::U64,
        "e" => DType::F16,
        "f" => DType::F32,
        "d" => DType::F64,
        "F" => DType::Complex64,
        "D" => DType::Complex128,
        _ => DType::ALL.into_iter().find(|dtype| code(*dtype) == kind)?,
    })
}

/// The dtype of a name.
fn named(kind: &str) -> Option<DType> {
    Some(match kind {
        "bool" | "bool_" => DType::Bool,
        "int8" | "byte" => DType::I8,
        "int16" | "short" => DType::I16,
        "int32" | "intc" => DType::I32,
        "int64" | "int" | "int_" | "long" | "longlong" | "intp" => DType::I64,
        "uint8" | "ubyte" => DType::U8,
        "uint16" | "ushort" => DType::U16,
        "uint32" | "uintc" => DType::U32,
        "uint64" | "uint" | "ulong" | "ulonglong" | "uintp" => DType::U64,
        "float16" | "half" => DType::F16,
        "float32" | "single" => DType::F32,
        "float64" | "double" | "float" => DType::F64,
        "complex64" | "csingle" => DType::Complex64,
        "complex128" | "cdouble" | "complex" => DType::Complex128,
        _ => return None,
    })
}

/// Why a type string is refused, and what to do.
fn refuse(descr: &str, kind: &str) -> HeaderError {
    let shown = descr.to_owned();
    let starts = |names: &[&str]| names.iter().any(|name| kind.starts_with(name));
    // `3f4`, `(2,)f4` and `f4,i4` are arrays and records in one element.
    let is_compound = starts(&["("]) || kind.contains(',') || {
        let count = kind.len() - kind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        count > 0 && count < kind.len()
    };
    match () {
        () if is_compound => HeaderError::Structured,
        () if starts(&["O", "object"]) => HeaderError::Objects,
        () if kind == "c" || starts(&["S", "U", "a", "T", "str", "unicode", "bytes"]) => {
            HeaderError::Strings(shown)
        }
        () if starts(&["M", "m", "datetime64", "timedelta64"]) => HeaderError::Times(shown),
        () => HeaderError::DType(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read_as_numpy_reads_it() {
        let mut seen = [0, 0];
        for line in include_str!("descr/numpy.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
        {
            let words: Vec<&str> = line.split(' ').collect();
            let found = parse(words[0]);
            match words[1..] {
                ["none"] => assert!(found.is_err(), "{line}: {found:?}"),
                [dtype, order] => {
                    let expected = (dtype.parse().unwrap(), order == ">");
                    assert_eq!(found.ok(), Some(expected), "{line}");
                }
                _ => panic!("{line}"),
            }
            seen[usize::from(words[1] == "none")] += 1;
        }
        assert!(seen[0] > 190 && seen[1] > 70, "{seen:?}");
    }

    #[test]
    fn what_is_written_is_read_as_it_was_meant() {
        for dtype in DType::ALL {
            assert_eq!(parse(code(dtype)).unwrap(), (dtype, false));
        }
    }

    #[test]
    fn a_name_with_a_byte_order_is_told_its_code() {
        let error = parse(">float32").unwrap_err().to_string();
        assert!(error.contains("`>f4`"), "{error}");
    }

    #[test]
    fn what_is_refused_is_called_what_it_is() {
        use HeaderError as E;
        type Expected = fn(&HeaderError) -> bool;
        let table: [(&[&str], Expected); 5] = [
            (&["O", "|O8", "object", "object_"], |e| {
                matches!(e, E::Objects)
            }),
            (&["<U7", "S3", "str", "a5", "c", "bytes_", "unicode"], |e| {
                matches!(e, E::Strings(_))
            }),
            (&["<M8[ns]", "m8", "datetime64"], |e| {
                matches!(e, E::Times(_))
            }),
            (&["3f4", "(2,)f4", "f4,i4"], |e| matches!(e, E::Structured)),
            (
                &[
                    "f16",
                    "<c32",
                    "g",
                    "longdouble",
                    "complex256",
                    "V",
                    "|V4",
                    "void",
                    "f3",
                    "",
                    "<",
                    "4",
                    "x",
                ],
                |e| matches!(e, E::DType(_)),
            ),
        ];
        for (spellings, expected) in table {
            for spelling in spellings {
                let error = parse(spelling).unwrap_err();
                assert!(expected(&error), "{spelling}: {error:?}");
            }
        }
    }
}
