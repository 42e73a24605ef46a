//! WGSL on its way to the host.

/// A WGSL module, where it comes from, and values for its `override` constants.
///
/// ```
/// # use hotcell_guest::gpu;
/// let source = "override WIDTH: u32; @compute @workgroup_size(WIDTH) fn main() {}";
/// let shader = gpu::Shader::new("wide.wgsl", source).with("WIDTH", 64);
/// assert_eq!(shader.file(), "wide.wgsl");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Shader {
    file: &'static str,
    source: &'static str,
    constants: Vec<(&'static str, f64)>,
}

impl Shader {
    /// WGSL that stands in `file`, which errors name. [`wgsl!`](crate::gpu::wgsl) reads it from there.
    pub const fn new(file: &'static str, source: &'static str) -> Self {
        Self {
            file,
            source,
            constants: Vec::new(),
        }
    }

    /// Gives an `override` constant a value, by its name or its `@id` in digits.
    #[must_use]
    pub fn with(mut self, constant: &'static str, value: impl Into<f64>) -> Self {
        self.constants.push((constant, value.into()));
        self
    }

    /// The author's file.
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// The WGSL.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Names and values of constants, in the order in which they were given.
    pub fn constants(&self) -> &[(&'static str, f64)] {
        &self.constants
    }
}

/// A [`Shader`] from a file beside the Rust source that names it.
#[doc(hidden)]
#[macro_export]
macro_rules! __gpu_wgsl {
    ($file:literal) => {
        $crate::gpu::Shader::new($file, ::core::include_str!($file))
    };
}
