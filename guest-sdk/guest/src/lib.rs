//! The hotcell guest SDK: write compute kernels as plain Rust functions.
//!
//! A kernel is a function over slices and scalars. `#[kernel]` says what shapes it takes, [`export!`]
//! makes the crate's kernels a WebAssembly component that `hotcell run` executes under limits:
//!
//! ```
//! use hotcell_guest::prelude::*;
//!
//! /// Adds `a` times `x` to `y`.
//! #[kernel(sig = "(n),(n)->(n)", split = "n", cost = "2*n")]
//! pub fn saxpy(a: f32, x: &[f32], y: &[f32], out: &mut [f32]) {
//!     for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
//!         *out = a * x + y;
//!     }
//! }
//!
//! /// The product of two matrices.
//! #[kernel(sig = "(m,k),(k,n)->(m,n)", split = "m", cost = "2*m*k*n", weight = "heavy")]
//! pub fn gemm(a: View2<f32>, b: View2<f32>, mut out: ViewMut2<f32>) {
//!     let [m, k] = a.shape();
//!     for i in 0..m {
//!         for p in 0..k {
//!             for (out, b) in out.row_mut(i).iter_mut().zip(b.row(p)) {
//!                 *out += a[[i, p]] * b;
//!             }
//!         }
//!     }
//! }
//!
//! hotcell_guest::export!(saxpy, gemm);
//!
//! # fn main() {
//! // A kernel stays an ordinary function, for tests and a debugger:
//! let mut out = [0.0; 2];
//! saxpy(2.0, &[1.0, 2.0], &[10.0, 20.0], &mut out);
//! assert_eq!(out, [12.0, 24.0]);
//! # }
//! ```
//!
//! # The attribute
//!
//! | key | value | default |
//! |---|---|---|
//! | `sig` | shapes in NumPy's gufunc notation, such as `"(h,w,4),(k)->(h,w,4)"`; `()` is a rank-0 array | required |
//! | `split` | the dimension that the host may cut into chunks, each run in an instance of its own | not cut |
//! | `halo(…)` | how many neighbours on either side a chunk gets of an input: `halo(image = 1)` | none |
//! | `cost` | arithmetic operations of a launch: integers, dimensions, integer scalars, `+ - * /`, `min` `max` `log2ceil` | unknown |
//! | `weight` | `"light"`, `"normal"` or `"heavy"`: scales the host's default limits | `"normal"` |
//! | `fuel`, `timeout`, `memory` | limits to ask for: `"200G"`, `"30s"`, `"512MiB"` | the host's |
//! | `inout` | names of mutable arrays that are inputs too, `"x"` or `"x,y"` | none |
//! | `wants` | the capabilities that this kernel uses, `"gpu"` or `"log,clock"` or `""`: the crate's other ones it then needs no grant for, and cannot call | all that the crate uses |
//! | `default(…)` | scalars that a caller may leave out: `default(a = 2.0, steps = 80)` | none |
//!
//! The first paragraph of the doc comment becomes the entry's description. A split dimension is the
//! first of every array that has it, and every output has it; inputs without it reach each chunk
//! whole. An input with a halo of k has the k rows before and after the chunk's own, as far as there are any:
//! its row for index `i` of the chunk is `chunk.before(k) + i`. A kernel returns nothing, or `Result<(), E>` with `E: Display`; an `Err` or a panic ends the
//! launch, and its outputs are discarded.
//!
//! # Parameters
//!
//! Arrays meet the signature in order: its inputs are the shared arrays and the `inout` ones, its
//! outputs the mutable ones. Outputs are zero when the kernel starts.
//!
//! | parameter | what it is |
//! |---|---|
//! | `bool` `i32` `i64` `u32` `u64` `f32` `f64` | a scalar, by name |
//! | `usize` | the extent of the dimension of its name; in a chunk, the chunk's |
//! | [`Chunk`] | which part of the split dimension this is |
//! | `&[T]`, `&mut [T]` | an array of any rank, flat in C order |
//! | [`View1`]`<T>` to [`View4`]`<T>`, [`ViewMut1`]`<T>` to [`ViewMut4`]`<T>` | an array with its shape: `v[[i, j]]`, `v.row(i)` |
//! | [`Chunks`]`<T>`, [`ChunksMut`]`<T>` | an array read or written by ranges, which may be larger than the guest's memory |
//! | [`ChunksInOut`]`<T>` | an in-out array of that kind; it needs no mention in `inout` |
//!
//! Elements `T` are `bool`, the integers of 8 to 64 bits, `f32`, `f64`, [`F16`], [`Bf16`],
//! [`Complex`]`<f32>` and `Complex<f64>`. A component counts in 32 bits: no dimension of an array,
//! streamed or not, has 2³² elements or more.
//!
//! # Speed
//!
//! Components run with 128-bit vectors, which rustc uses where it can see that it may:
//!
//! * walk slices with `zip`, `chunks_exact` or [`View::row`] in inner loops, not by index;
//! * reduce with [`math::sum`] and [`math::dot`], which state an order of additions that vectorises;
//! * use [`math::min`], [`math::max`] and [`math::clamp`] for `f32::min` and kin, [`math::mul_add`] for
//!   `f32::mul_add`, and [`math::exp`] where `exp` is hot: Wasm has no instruction for any of them;
//! * pass a view's rows to a helper function as slices where a loop over views does not vectorise:
//!   slice parameters tell the compiler that they do not overlap, a view inside a struct does not.
//!
//! # Beyond arrays
//!
//! [`log`] and [`control`] (should-stop, progress) are granted by default, [`clock`] and [`random`] are
//! not. Using a function of one makes the component ask for it. `println!`, `eprintln!` and `dbg!` are
//! heard natively, and silent in a component, which has no standard output unless it is built with `--wasi`: use
//! [`log::info`]. [`native`] runs kernels without Wasm.
//!
//! With the feature `gpu` there is the module `gpu`: WGSL shaders on the launch's device, over the
//! arrays that a kernel takes as [`Chunks`], [`ChunksMut`] and [`ChunksInOut`].

// So that the macros' paths hold in this crate's own tests.
#[cfg(test)]
extern crate self as hotcell_guest;

#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, reason = "natively there is no host to call")
)]
mod abi;
// With WASI there is the C library's, whose own functions take from it and give back to it.
#[cfg(all(target_arch = "wasm32", not(target_os = "wasi")))]
mod allocator;
mod bytes;
mod capabilities;
mod chunk;
mod chunks;
mod complex;
#[cfg(target_arch = "wasm32")]
mod component;
mod element;
mod entry;
mod error;
mod export;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "gpu")]
mod gpu_error;
mod half;
#[cfg_attr(
    not(any(all(target_arch = "wasm32", not(target_os = "wasi")), test)),
    expect(
        dead_code,
        reason = "natively only the tests have this heap, and with WASI nobody"
    )
)]
mod heap;
mod host;
#[cfg(any(target_arch = "wasm32", test))]
mod kept;
#[cfg(any(target_arch = "wasm32", test))]
mod launch;
pub mod math;
pub mod native;
mod raw;
mod view;
#[cfg(any(target_arch = "wasm32", test))]
mod whole;
mod words;

pub use capabilities::{clock, control, log, random};
pub use chunk::Chunk;
pub use chunks::{Blocks, Chunks, ChunksInOut, ChunksMut};
pub use complex::Complex;
pub use element::{Block, Element};
pub use half::{Bf16, F16};
pub use hotcell_guest_macros::{export, kernel};
pub use view::{View, View1, View2, View3, View4, ViewMut, ViewMut1, ViewMut2, ViewMut3, ViewMut4};

/// Everything that kernels commonly use.
pub mod prelude {
    pub use crate::{
        Bf16, Block, Chunk, Chunks, ChunksInOut, ChunksMut, Complex, Element, F16, View1, View2,
        View3, View4, ViewMut1, ViewMut2, ViewMut3, ViewMut4, clock, control, kernel, log, math,
        random,
    };
}

/// What the macros' expansion uses; not for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::abi::entries::{
        Answer, Destination, Dimension, List, Request as ComponentRequest, Scalar, Source,
    };
    pub use crate::chunks::{Exchange, Reader, Writer};
    #[cfg(target_arch = "wasm32")]
    pub use crate::component::launch;
    pub use crate::element::Element;
    pub use crate::entry::{
        Access, ArrayParam, Call, Entry, Extent, FirstInvalid, Halo, Param, ScalarKind, ScalarType,
        Slot,
    };
    pub use crate::export::{concat, failure, shader_len, shader_record, total_len};
    pub use crate::native::{Bytes, Request, launch_native};
    pub use crate::raw::{chunks, chunks_inout, chunks_mut, slice, slice_mut, view, view_mut};
}
