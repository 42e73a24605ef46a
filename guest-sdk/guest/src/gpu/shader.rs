//! WGSL on its way to the host.

use super::{Error, host};

/// A WGSL module, where it comes from, and values for its `override` constants.
///
/// [`wgsl!`](crate::gpu::wgsl) puts the text of a file into a section of the component, where whoever runs it can read it
/// beforehand. What [`new`](Self::new) is given is known at run time alone, and takes the capability `gpu-text`.
///
/// ```
/// # use hotcell_guest::gpu;
/// let source = "override WIDTH: u32; @compute @workgroup_size(WIDTH) fn main() {}";
/// let shader = gpu::Shader::new("wide.wgsl", source).with("WIDTH", 64);
/// assert_eq!(shader.file(), "wide.wgsl");
/// ```
#[derive(Clone, Debug)]
pub struct Shader {
    file: &'static str,
    /// Empty where it stands in the component's section.
    source: &'static str,
    /// How the host is asked for a kernel of it. A component imports what it takes to ask in the ways that it uses.
    make: Make,
    constants: Vec<(&'static str, f64)>,
}

type Make = fn(&host::Device, &Shader, &str) -> Result<host::Kernel, Error>;

impl Shader {
    /// WGSL that is made at run time, under a name for errors.
    pub const fn new(file: &'static str, source: &'static str) -> Self {
        Self {
            file,
            source,
            make: host::create_kernel_of_text,
            constants: Vec::new(),
        }
    }

    /// WGSL that stands in the component's section under the name of its file.
    #[doc(hidden)]
    pub const fn in_section(file: &'static str) -> Self {
        Self {
            file,
            source: "",
            make: host::create_kernel,
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

    /// Names and values of constants, in the order in which they were given.
    pub fn constants(&self) -> &[(&'static str, f64)] {
        &self.constants
    }

    /// The WGSL; empty where it stands in the component's section.
    pub fn source(&self) -> &'static str {
        self.source
    }

    pub(super) fn make(&self, device: &host::Device, entry: &str) -> Result<host::Kernel, Error> {
        (self.make)(device, self, entry)
    }
}

/// A [`Shader`] from a file beside the Rust source that names it, in the component's section `hotcell:shaders`.
///
/// The file's name as it stands there is the shader's, and two files of one component have two names. It belongs into the
/// crate that calls `export!`: what stands in the section of another crate may not get into the component.
#[doc(hidden)]
#[macro_export]
macro_rules! __gpu_wgsl {
    ($file:literal) => {{
        const TEXT: &str = ::core::include_str!($file);
        const LEN: usize = $crate::__private::shader_len($file, TEXT);
        #[cfg_attr(target_arch = "wasm32", used, unsafe(link_section = "hotcell:shaders"))]
        static _RECORD: [u8; LEN] = $crate::__private::shader_record($file, TEXT);
        $crate::gpu::Shader::in_section($file)
    }};
}

#[cfg(test)]
mod tests {
    use crate::export::{shader_len, shader_record};
    use hotcell_manifest::Shaders;

    #[test]
    fn a_record_is_what_the_host_reads() {
        const NAME: &str = "doc\u{e9}.wgsl";
        const TEXT: &str = "fn f() {}";
        const LEN: usize = shader_len(NAME, TEXT);
        let record: [u8; LEN] = shader_record(NAME, TEXT);
        let shaders = Shaders::decode(&record).unwrap();
        let [shader] = shaders.records() else {
            panic!("{shaders:?}");
        };
        assert_eq!((shader.name, shader.text), (NAME, TEXT.as_bytes()));
    }
}
