//! What the supervisor and a guarded process say to each other.

use crate::bounded;
use crate::gpu::Payload;
use crate::guard::{GuardProfile, JitEvent};
use crate::layer::{Layer, LayerReport};
use hotcell_manifest::DType;
use serde::{Deserialize, Serialize};

/// The most arrays that one call takes apart from its pickle, and the most that it returns.
pub const GUARD_ARRAYS: usize = 1024;
/// The most extents of one that is returned: NumPy has no more.
pub const GUARD_EXTENTS: usize = 64;
/// The most paths that a guarded process is given.
pub const GUARD_PATHS: usize = 256;

/// To a guarded process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToGuarded {
    /// Put on the walls and import. Once, and first. Beside it: the memory for refused calls; then standard input, output and
    /// error, of which the last two may be the same.
    Begin(Box<BeginRequest>),
    /// Call a function. Beside it: the parcel, unless it is inside; then the memory of buffers that lie elsewhere.
    Call(CallRequest),
    /// The memory that it asked for, beside it.
    Memory {
        /// The call.
        id: u64,
    },
    /// It asked for more memory than it may return.
    NoMemory {
        /// The call.
        id: u64,
    },
}

/// What a guarded process is to make of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginRequest {
    /// What it may ask of the operating system's kernel.
    pub profiles: Vec<GuardProfile>,
    /// Files and directories that it may read.
    pub read: Vec<String>,
    /// Files and directories that it may write to as well.
    pub write: Vec<String>,
    /// The folder that is its own, where it has no mounts of its own to make one in.
    pub folder: String,
    /// The size of that folder in bytes, where it is in memory.
    pub scratch_bytes: u64,
    /// The most threads.
    pub threads: u64,
    /// What the interpreter is to do, in words between both of its sides: JSON.
    pub setup: String,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRequest {
    /// The call's number, counted by the supervisor; answers carry it.
    pub id: u64,
    /// The function and its arguments, pickled, and behind them what of their buffers lies in the same memory; absent where
    /// that is in the first descriptor.
    pub parcel: Option<Payload>,
    /// The size of the parcel.
    pub parcel_bytes: u64,
    /// How much of it is the function's pickle, which comes first.
    pub function_bytes: u64,
    /// How much of it is pickles: the function's, and behind it that of the arguments.
    pub pickle_bytes: u64,
    /// Where the buffers lie that the pickle is about, in its order.
    pub buffers: Vec<BufferPlace>,
}

/// Where a buffer lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferPlace {
    /// In the parcel, or in the next descriptor, of its own size.
    pub is_own: bool,
    /// From there on.
    pub offset_bytes: u64,
    /// So many bytes.
    pub len_bytes: u64,
}

/// From a guarded process: claims, all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromGuarded {
    /// The walls are up.
    Walled(
        #[serde(deserialize_with = "bounded::list::<_, _, { Layer::ALL.len() }>")] Vec<LayerReport>,
    ),
    /// What was to be imported is; or why not.
    Ready {
        /// Why not.
        failure: Option<String>,
    },
    /// Memory is needed for what the call returns.
    Needs {
        /// The call.
        id: u64,
        /// So much.
        bytes: u64,
    },
    /// A compiler begins or ends.
    Jit(Box<JitEvent>),
    /// The call ended.
    Ended {
        /// The call.
        id: u64,
        /// How.
        end: Box<CallEnd>,
    },
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallEnd {
    /// It returned.
    Returned {
        /// The results, where they are few; else they are in the memory that was asked for.
        inline: Option<Payload>,
        /// The value, as JSON, with positions in place of arrays: so many bytes, from the first on.
        value_bytes: u64,
        /// The arrays.
        #[serde(deserialize_with = "bounded::list::<_, _, GUARD_ARRAYS>")]
        arrays: Vec<ReturnedArray>,
    },
    /// It raised.
    Raised(Raised),
}

/// An array that a call returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnedArray {
    /// Its element type.
    pub dtype: DType,
    /// Its extents.
    #[serde(deserialize_with = "bounded::list::<_, _, GUARD_EXTENTS>")]
    pub shape: Vec<u64>,
    /// Where its bytes begin.
    pub offset_bytes: u64,
}

/// What a call raised: text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// What it is about, as far as the process knows.
    pub kind: RaisedKind,
    /// The exception's class, and its words.
    pub message: String,
    /// Where it was raised, as Python prints that.
    pub traceback: String,
    /// How many bytes were asked for in vain, if that is known.
    pub requested_bytes: Option<u64>,
}

/// What an exception is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaisedKind {
    /// Something of the function's own.
    Own,
    /// There was no memory.
    Memory,
    /// There was no thread.
    Threads,
    /// There was no process.
    Processes,
    /// There was no room in its folder.
    Scratch,
    /// The operating system's kernel did not permit something.
    NotPermitted,
    /// It was asked to stop.
    Interrupted,
    /// Its result is nothing that can be returned.
    Unreturnable,
    /// It cannot be called: its pickle cannot be read.
    Unreadable,
}
