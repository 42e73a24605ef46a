//! Why GPU work was not done.

use std::fmt;

/// Why something was not done. Nothing was: there are no half-done calls.
///
/// It turns into a `String`, so that `?` works in kernels whose error is one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The WGSL is not valid, or is not admitted.
    Shader {
        /// The author's file, as [`wgsl!`](crate::gpu::wgsl) names it.
        file: String,
        /// Line, from 1; 0 where there is no place to name.
        line: u32,
        /// Column in characters, from 1; 0 where there is no place to name.
        column: u32,
        /// What is wrong there.
        message: String,
    },
    /// A limit would have been passed.
    Limit {
        /// The limit's name, as in reports and policy: `gpu_bytes`.
        name: String,
        /// What was asked for, together with what is held.
        requested: u64,
        /// The limit.
        maximum: u64,
    },
    /// A range leaves its buffer or array.
    OutOfRange {
        /// Where it begins, in bytes.
        offset_bytes: u64,
        /// How long it is.
        len_bytes: u64,
        /// The size of the buffer or array.
        size_bytes: u64,
    },
    /// The call makes no sense.
    Misuse(String),
    /// The kernel runs natively, where there is no device.
    NoDevice,
}

impl Error {
    /// The same error, in the author's file if it is in a shader.
    pub(crate) fn in_file(mut self, name: &str) -> Self {
        if let Self::Shader { file, .. } = &mut self {
            name.clone_into(file);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shader {
                file,
                line: 0,
                message,
                ..
            } => write!(f, "{file}: {message}"),
            Self::Shader {
                file,
                line,
                column,
                message,
            } => write!(f, "{file}:{line}:{column}: {message}"),
            Self::Limit {
                name,
                requested,
                maximum,
            } => write!(
                f,
                "{name}: {requested} requested, at most {maximum} are allowed"
            ),
            Self::OutOfRange {
                offset_bytes,
                len_bytes,
                size_bytes,
            } => write!(
                f,
                "{len_bytes} bytes from byte {offset_bytes} leave the {size_bytes} bytes there are"
            ),
            Self::Misuse(reason) => f.write_str(reason),
            Self::NoDevice => f.write_str("there is no GPU outside a component"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(error: Error) -> Result<(), String> {
        Err(error)?;
        Ok(())
    }

    #[test]
    fn a_shader_error_names_the_authors_file_line_and_column() {
        let error = Error::Shader {
            file: String::new(),
            line: 12,
            column: 5,
            message: "unknown identifier".to_owned(),
        };
        let shown = error.in_file("saxpy.wgsl").to_string();
        assert_eq!(shown, "saxpy.wgsl:12:5: unknown identifier");
    }

    #[test]
    fn an_error_without_a_place_names_the_file_alone() {
        let error = Error::Shader {
            file: "saxpy.wgsl".to_owned(),
            line: 0,
            column: 0,
            message: "no entry point `man`".to_owned(),
        };
        assert_eq!(error.to_string(), "saxpy.wgsl: no entry point `man`");
    }

    #[test]
    fn errors_carry_both_numbers_into_a_kernels_string() {
        let limit = Error::Limit {
            name: "gpu_bytes".to_owned(),
            requested: 70,
            maximum: 60,
        };
        let said = fails(limit).unwrap_err();
        assert_eq!(said, "gpu_bytes: 70 requested, at most 60 are allowed");
        let range = Error::OutOfRange {
            offset_bytes: 8,
            len_bytes: 9,
            size_bytes: 16,
        };
        let said = fails(range).unwrap_err();
        assert_eq!(said, "9 bytes from byte 8 leave the 16 bytes there are");
    }
}
