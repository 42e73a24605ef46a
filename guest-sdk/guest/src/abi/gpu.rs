//! `hotcell:gpu/compute`: the launch's device. Lists and records go to the host where they lie; results are read where it
//! has put them.

use crate::abi::arrays::{Input, Output};
use std::marker::PhantomData;

#[cfg(target_arch = "wasm32")]
mod calls;
#[cfg(target_arch = "wasm32")]
pub(crate) use calls::get;
pub(crate) mod text;

imports! { "hotcell:gpu/compute@0.2.0" {
    "get-device": fn get_device(result: *mut Returned);
    "[method]device.properties": fn device_properties(this: u32, result: *mut Properties);
    "[method]device.lower-quota": fn device_lower_quota(this: u32, quota: u32, value: u64, result: *mut Returned);
    "[method]device.create-buffer": fn device_create_buffer(this: u32, size_bytes: u64, result: *mut Returned);
    "[method]device.create-kernel": fn device_create_kernel(
        this: u32, shader: *const u8, shader_len: usize, entry: *const u8, entry_len: usize,
        constants: *const Constant<'static>, constants_len: usize, result: *mut Returned
    );
    "[method]device.submit": fn device_submit(
        this: u32, commands: *const Command<'static>, commands_len: usize, result: *mut Returned
    );
    "[method]device.run": fn device_run(
        this: u32, commands: *const Command<'static>, commands_len: usize, result: *mut Returned
    );
    "[resource-drop]device": fn device_drop(this: u32);
    "[method]buffer.size-bytes": fn buffer_size_bytes(this: u32) -> u64;
    "[method]buffer.write": fn buffer_write(
        this: u32, offset_bytes: u64, data: *const u8, len: usize, result: *mut Returned
    );
    "[method]buffer.read": fn buffer_read(this: u32, offset_bytes: u64, len_bytes: u32, result: *mut Returned);
    "[resource-drop]buffer": fn buffer_drop(this: u32);
    "[method]kernel.workgroup-size": fn kernel_workgroup_size(this: u32, result: *mut [u32; 3]);
    "[method]kernel.bind": fn kernel_bind(
        this: u32, bindings: *const Binding<'static>, bindings_len: usize, result: *mut Returned
    );
    "[resource-drop]kernel": fn kernel_drop(this: u32);
    "[resource-drop]bind-set": fn bind_set_drop(this: u32);
    "[method]submission.wait": fn submission_wait(this: u32, result: *mut Returned);
    "[resource-drop]submission": fn submission_drop(this: u32);
}}

/// Declares resources that belong to the guest: dropped with the value.
macro_rules! resources {
    ($($(#[$meta:meta])* $name:ident: $drop:ident;)*) => {$(
        $(#[$meta])*
        #[repr(transparent)]
        pub(crate) struct $name(u32);

        #[cfg(target_arch = "wasm32")]
        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: the canonical ABI's word; the handle is this value's own.
                unsafe { $drop(self.0) }
            }
        }
    )*};
}

resources! {
    /// The launch's device.
    Device: device_drop;
    /// Memory on the device.
    Buffer: buffer_drop;
    /// A compiled entry point.
    Kernel: kernel_drop;
    /// Ranges of buffers, bound to one kernel.
    BindSet: bind_set_drop;
    /// Work in the queue.
    Submission: submission_drop;
}

/// A resource that is lent for a call.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Lent<'a>(u32, PhantomData<&'a u32>);

impl<'a> From<&'a Buffer> for Lent<'a> {
    fn from(buffer: &'a Buffer) -> Self {
        Self(buffer.0, PhantomData)
    }
}

impl<'a> From<&'a BindSet> for Lent<'a> {
    fn from(bind_set: &'a BindSet) -> Self {
        Self(bind_set.0, PhantomData)
    }
}

/// `record properties`.
#[repr(C)]
pub(crate) struct Properties {
    pub(crate) has_subgroups: u8,
    pub(crate) min_subgroup_size: u32,
    pub(crate) max_subgroup_size: u32,
    pub(crate) max_workgroup_bytes: u32,
    pub(crate) max_workgroup_invocations: u32,
    pub(crate) max_workgroups_per_axis: u32,
    pub(crate) max_binding_bytes: u64,
}

/// `enum quota`, in the WIT's order.
#[derive(Clone, Copy)]
pub(crate) enum Quota {
    Bytes,
    Dispatches,
    Invocations,
    Fuel,
}

/// A text of the guest's.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct TextRef<'a> {
    ptr: *const u8,
    len: usize,
    text: PhantomData<&'a str>,
}

impl<'a> From<&'a str> for TextRef<'a> {
    fn from(text: &'a str) -> Self {
        Self {
            ptr: text.as_ptr(),
            len: text.len(),
            text: PhantomData,
        }
    }
}

/// `record constant`.
#[repr(C)]
pub(crate) struct Constant<'a> {
    pub(crate) name: TextRef<'a>,
    pub(crate) value: f64,
}

/// `record binding`.
#[repr(C)]
pub(crate) struct Binding<'a> {
    pub(crate) group: u32,
    pub(crate) slot: u32,
    pub(crate) buffer: Lent<'a>,
    pub(crate) offset_bytes: u64,
    /// 0 for the rest of the buffer, 1 where `len_bytes` says.
    pub(crate) has_len: u8,
    pub(crate) len_bytes: u64,
}

/// `variant command`: the case's tag, and its record.
#[repr(C)]
pub(crate) struct Command<'a> {
    tag: u8,
    case: Case<'a>,
}

#[repr(C)]
#[derive(Clone, Copy)]
union Case<'a> {
    dispatch: Dispatch<'a>,
    copy: Copied<'a>,
    fill: Fill<'a>,
    read_array: ReadArray<'a>,
    clear: Clear<'a>,
}

/// `record dispatch`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Dispatch<'a> {
    pub(crate) bind_set: Lent<'a>,
    pub(crate) workgroups: [u32; 3],
}

/// `record copy`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Copied<'a> {
    pub(crate) source: Lent<'a>,
    pub(crate) source_offset_bytes: u64,
    pub(crate) destination: Lent<'a>,
    pub(crate) destination_offset_bytes: u64,
    pub(crate) len_bytes: u64,
}

/// `record fill`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Fill<'a> {
    pub(crate) source: Input,
    pub(crate) source_offset_bytes: u64,
    pub(crate) destination: Lent<'a>,
    pub(crate) destination_offset_bytes: u64,
    pub(crate) len_bytes: u64,
}

/// `record read-array`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct ReadArray<'a> {
    pub(crate) source: Lent<'a>,
    pub(crate) source_offset_bytes: u64,
    pub(crate) destination: Output,
    pub(crate) destination_offset_bytes: u64,
    pub(crate) len_bytes: u64,
}

/// `record clear`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Clear<'a> {
    pub(crate) buffer: Lent<'a>,
    pub(crate) offset_bytes: u64,
    pub(crate) len_bytes: u64,
}

impl<'a> Command<'a> {
    pub(crate) const fn dispatch(dispatch: Dispatch<'a>) -> Self {
        let case = Case { dispatch };
        Self { tag: 0, case }
    }

    pub(crate) const fn copy(copy: Copied<'a>) -> Self {
        let case = Case { copy };
        Self { tag: 1, case }
    }

    pub(crate) const fn fill(fill: Fill<'a>) -> Self {
        let case = Case { fill };
        Self { tag: 2, case }
    }

    pub(crate) const fn read_array(read_array: ReadArray<'a>) -> Self {
        let case = Case { read_array };
        Self { tag: 3, case }
    }

    pub(crate) const fn clear(clear: Clear<'a>) -> Self {
        let case = Case { clear };
        Self { tag: 4, case }
    }
}

/// `result<T, error>` where T is nothing, a handle or a list: its tag, and then words of 8 bytes in which every field has
/// a half or the whole.
#[repr(C)]
pub(crate) struct Returned {
    is_error: u8,
    /// What was returned in the first, or the error's tag there and its case in the others.
    words: [u64; 4],
}

layout!(PROPERTIES = Properties {
    has_subgroups: 0, min_subgroup_size: 4, max_subgroup_size: 8, max_workgroup_bytes: 12,
    max_workgroup_invocations: 16, max_workgroups_per_axis: 20, max_binding_bytes: 24
} 32);
layout!(CONSTANT = Constant<'static> { name: 0, value: 8 } 16);
layout!(BINDING = Binding<'static> {
    group: 0, slot: 4, buffer: 8, offset_bytes: 16, has_len: 24, len_bytes: 32
} 40);
layout!(COMMAND = Command<'static> { tag: 0, case: 8 } 48);
layout!(DISPATCH = Dispatch<'static> { bind_set: 0, workgroups: 4 } 16);
layout!(COPY = Copied<'static> {
    source: 0, source_offset_bytes: 8, destination: 16, destination_offset_bytes: 24, len_bytes: 32
} 40);
layout!(FILL = Fill<'static> {
    source: 0, source_offset_bytes: 8, destination: 16, destination_offset_bytes: 24, len_bytes: 32
} 40);
layout!(READ_ARRAY = ReadArray<'static> {
    source: 0, source_offset_bytes: 8, destination: 16, destination_offset_bytes: 24, len_bytes: 32
} 40);
layout!(CLEAR = Clear<'static> { buffer: 0, offset_bytes: 8, len_bytes: 16 } 24);
layout!(RETURNED = Returned { is_error: 0, words: 8 } 40);
