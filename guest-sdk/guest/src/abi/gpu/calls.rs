//! The calls of `hotcell:gpu/compute`, with what the host returns read back. The `unsafe` is the canonical ABI's word: the
//! host reads texts and lists where they lie, and what it returns was allocated here.

use super::*;
use crate::abi::Bytes;
use crate::gpu_error::Error;

impl Returned {
    /// Where the host writes to.
    pub(super) const EMPTY: Self = Self {
        is_error: 0,
        words: [0; 4],
    };

    /// A call's result that says no more than whether it is one.
    fn unit(self) -> Result<(), Error> {
        if self.is_error == 0 {
            Ok(())
        } else {
            Err(self.error())
        }
    }

    /// A resource's handle.
    pub(super) fn handle(self) -> Result<u32, Error> {
        let [handle, ..] = self.words;
        self.unit().map(|()| low(handle))
    }

    fn bytes(self) -> Result<Vec<u8>, Error> {
        let [list, ..] = self.words;
        self.unit().map(|()| of_list(list).take())
    }

    fn error(self) -> Error {
        let [tag, a, b, c] = self.words;
        match low(tag) & 0xff {
            0 => Error::Shader {
                file: String::new(),
                line: low(a),
                column: high(a),
                message: of_list(b).take_text(),
            },
            1 => Error::Limit {
                name: of_list(a).take_text(),
                requested: b,
                maximum: c,
            },
            2 => Error::OutOfRange {
                offset_bytes: a,
                len_bytes: b,
                size_bytes: c,
            },
            _ => Error::Misuse(of_list(a).take_text()),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
const fn low(word: u64) -> u32 {
    word as u32
}

const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

/// A list's or a text's pointer and length.
fn of_list(word: u64) -> Bytes {
    Bytes {
        ptr: std::ptr::with_exposed_provenance_mut(low(word) as usize),
        len: high(word) as usize,
    }
}

/// The launch's device.
pub(crate) fn get() -> Result<Device, Error> {
    let mut result = Returned::EMPTY;
    // SAFETY: the canonical ABI's word.
    unsafe { get_device(&raw mut result) };
    result.handle().map(Device)
}

impl Device {
    pub(crate) fn properties(&self) -> Properties {
        let mut result = Properties {
            has_subgroups: 0,
            min_subgroup_size: 0,
            max_subgroup_size: 0,
            max_workgroup_bytes: 0,
            max_workgroup_invocations: 0,
            max_workgroups_per_axis: 0,
            max_binding_bytes: 0,
        };
        // SAFETY: the canonical ABI's word.
        unsafe { device_properties(self.0, &raw mut result) };
        result
    }

    pub(crate) fn lower_quota(&self, quota: Quota, value: u64) -> Result<(), Error> {
        let mut result = Returned::EMPTY;
        // SAFETY: the canonical ABI's word.
        unsafe { device_lower_quota(self.0, quota as u32, value, &raw mut result) };
        result.unit()
    }

    pub(crate) fn create_buffer(&self, size_bytes: u64) -> Result<Buffer, Error> {
        let mut result = Returned::EMPTY;
        // SAFETY: the canonical ABI's word.
        unsafe { device_create_buffer(self.0, size_bytes, &raw mut result) };
        result.handle().map(Buffer)
    }

    pub(crate) fn create_kernel(
        &self,
        shader: &str,
        entry: &str,
        constants: &[Constant<'_>],
    ) -> Result<Kernel, Error> {
        let mut result = Returned::EMPTY;
        // SAFETY: the canonical ABI's word.
        unsafe {
            device_create_kernel(
                self.0,
                shader.as_ptr(),
                shader.len(),
                entry.as_ptr(),
                entry.len(),
                constants.as_ptr().cast(),
                constants.len(),
                &raw mut result,
            );
        }
        result.handle().map(Kernel)
    }

    pub(crate) fn submit(&self, commands: &[Command<'_>]) -> Result<Submission, Error> {
        let (first, len, mut result) = (commands.as_ptr().cast(), commands.len(), Returned::EMPTY);
        // SAFETY: the canonical ABI's word.
        unsafe { device_submit(self.0, first, len, &raw mut result) };
        result.handle().map(Submission)
    }

    pub(crate) fn run(&self, commands: &[Command<'_>]) -> Result<(), Error> {
        let (first, len, mut result) = (commands.as_ptr().cast(), commands.len(), Returned::EMPTY);
        // SAFETY: the canonical ABI's word.
        unsafe { device_run(self.0, first, len, &raw mut result) };
        result.unit()
    }
}

impl Buffer {
    pub(crate) fn size_bytes(&self) -> u64 {
        // SAFETY: the canonical ABI's word.
        unsafe { buffer_size_bytes(self.0) }
    }

    pub(crate) fn write(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        let (first, len, mut result) = (bytes.as_ptr(), bytes.len(), Returned::EMPTY);
        // SAFETY: the canonical ABI's word.
        unsafe { buffer_write(self.0, offset_bytes, first, len, &raw mut result) };
        result.unit()
    }

    pub(crate) fn read(&self, offset_bytes: u64, len_bytes: u32) -> Result<Vec<u8>, Error> {
        let mut result = Returned::EMPTY;
        // SAFETY: the canonical ABI's word.
        unsafe { buffer_read(self.0, offset_bytes, len_bytes, &raw mut result) };
        result.bytes()
    }
}

impl Kernel {
    pub(crate) fn workgroup_size(&self) -> [u32; 3] {
        let mut result = [0; 3];
        // SAFETY: the canonical ABI's word.
        unsafe { kernel_workgroup_size(self.0, &raw mut result) };
        result
    }

    pub(crate) fn bind(&self, bindings: &[Binding<'_>]) -> Result<BindSet, Error> {
        let (first, len, mut result) = (bindings.as_ptr().cast(), bindings.len(), Returned::EMPTY);
        // SAFETY: the canonical ABI's word.
        unsafe { kernel_bind(self.0, first, len, &raw mut result) };
        result.handle().map(BindSet)
    }
}

impl Submission {
    pub(crate) fn wait(&self) -> Result<(), Error> {
        let mut result = Returned::EMPTY;
        // SAFETY: the canonical ABI's word.
        unsafe { submission_wait(self.0, &raw mut result) };
        result.unit()
    }
}
