//! The host's functions as the canonical ABI lowers them, one file an interface: names, core signatures and the layout of
//! what they point to, checked in rather than generated, so that an author's build needs no generator. A test compares
//! all of it with the WIT.
//!
//! A component imports an interface only if some function of it is linked, which is why the launch path calls `arrays` and
//! `failure` alone. The `unsafe` of these files is the canonical ABI's word: a host reads and writes what a signature says,
//! and lists that it returns were allocated here.

/// Declares an interface's functions: `"name": fn name(arguments) -> result;` as core Wasm has them.
macro_rules! imports {
    ($module:literal { $($name:literal: fn $function:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)* }) => {
        #[cfg(target_arch = "wasm32")]
        #[link(wasm_import_module = $module)]
        unsafe extern "C" {
            $(
                #[link_name = $name]
                fn $function($($argument: $type),*) $(-> $result)?;
            )*
        }

        /// The same as data.
        #[cfg(test)]
        pub(crate) const IMPORTS: (&str, &[crate::abi::Import]) = ($module, &[$(
            crate::abi::Import {
                name: $name,
                params: &[$(<$type as crate::abi::Core>::TYPE),*],
                results: &[$(<$result as crate::abi::Core>::TYPE)?],
            }
        ),*]);
    };
}

/// Declares the layout of a record: its size, and where its fields are. It is compared with the type where pointers have
/// 32 bits, and with the WIT in tests.
macro_rules! layout {
    ($(#[$meta:meta])* $constant:ident = $type:ty { $($field:ident: $offset:literal),* } $size:literal) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            $(assert!(::std::mem::offset_of!($type, $field) == $offset);)*
            assert!(size_of::<$type>() == $size);
        };
        $(#[$meta])*
        #[cfg(test)]
        pub(crate) const $constant: (&[usize], usize) = (&[$($offset),*], $size);
    };
}

pub(crate) mod arrays;
pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod entries;
pub(crate) mod failure;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
pub(crate) mod log;
pub(crate) mod random;

/// A function as the tests compare it.
#[cfg(test)]
pub(crate) struct Import {
    pub(crate) name: &'static str,
    pub(crate) params: &'static [CoreType],
    pub(crate) results: &'static [CoreType],
}

/// A core type.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoreType {
    I32,
    I64,
}

/// A Rust type's core type in a component.
#[cfg(test)]
pub(crate) trait Core {
    const TYPE: CoreType;
}

#[cfg(test)]
macro_rules! core {
    ($($type:ty => $core:ident),*) => {$(
        impl Core for $type {
            const TYPE: CoreType = CoreType::$core;
        }
    )*};
}

#[cfg(test)]
core!(u32 => I32, usize => I32, u64 => I64);

#[cfg(test)]
impl<T> Core for *const T {
    const TYPE: CoreType = CoreType::I32;
}

#[cfg(test)]
impl<T> Core for *mut T {
    const TYPE: CoreType = CoreType::I32;
}

/// A `list<u8>` or `string` as the host returns it.
#[repr(C)]
pub(crate) struct Bytes {
    ptr: *mut u8,
    len: usize,
}

#[cfg(target_arch = "wasm32")]
impl Bytes {
    /// None yet: where the host writes to.
    pub(crate) const EMPTY: Self = Self {
        ptr: std::ptr::without_provenance_mut(1),
        len: 0,
    };

    /// The bytes, which are the caller's from now on.
    pub(crate) fn take(self) -> Vec<u8> {
        // SAFETY: the host has allocated exactly these bytes with `cabi_realloc` and filled them.
        unsafe { Vec::from_raw_parts(self.ptr, self.len, self.len) }
    }

    /// The text, which is the caller's from now on.
    #[cfg(feature = "gpu")]
    pub(crate) fn take_text(self) -> String {
        // SAFETY: a `string` is UTF-8.
        unsafe { String::from_utf8_unchecked(self.take()) }
    }
}

#[cfg(test)]
mod tests;
