//! The inside of a guarded process: how an interpreter walls itself in, and what it says to its supervisor.
//!
//! Nothing of NumPy's may be touched here: the walls go up before anything is imported.

use hotcell_model::frame::{
    BeginRequest, CallEnd, CallRequest, FromGuarded, Hello, Raised, RaisedKind, ReturnedArray,
    ToGuarded, decode, last_words,
};
use hotcell_model::gpu::Payload;
use hotcell_model::guard::{JitArray, JitCache, JitEnd, JitEvent, JitSystem};
use hotcell_model::layer::WorkerKind;
use hotcell_model::manifest::DType;
use hotcell_model::text;
use hotcell_sandbox::BUILD_ID;
use hotcell_sandbox::channel::{Channel, Received};
use hotcell_sandbox::end::end_with_words;
use hotcell_sandbox::lockdown::{Birth, Quarters, Refusals, ResourceLimits};
use hotcell_sandbox::worker::{EXIT_SETUP, send};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;
use std::error::Error;
use std::ffi::c_int;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The number of the channel's descriptor, which the filter knows.
const CHANNEL: RawFd = 3;
/// Above all that a process is handed at its birth.
const ABOVE: RawFd = 64;

/// The channel to the supervisor.
static SUPERVISOR: OnceLock<Channel> = OnceLock::new();

/// The call that has come and was not answered. An interrupt may come between the arrival of a call and its being taken up, and
/// between its end's being sent and that being noted: a call that was not answered comes again, and is answered once.
static PENDING: Mutex<Option<CallRequest>> = Mutex::new(None);
/// What came beside it.
static BESIDE: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

fn pending() -> MutexGuard<'static, Option<CallRequest>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What can go wrong while walls go up.
type Setup<T> = Result<T, Box<dyn Error>>;

/// Puts up the walls that the supervisor asks for, with no thread but this one: what the interpreter is to do then, the folder
/// that is its own, and the profiles' names. A process that cannot ends here.
#[pyfunction]
pub(crate) fn guarded_begin() -> (String, String) {
    let begun = begin();
    match begun {
        Ok(begun) => begun,
        Err(error) => {
            if let Some(channel) = SUPERVISOR.get() {
                let words = last_words(&text::chain(&*error));
                // The supervisor sees that the process ends, too.
                let _ = channel.send(&words, &[]);
            }
            end_with_words(EXIT_SETUP, "hotcell guard", &*error)
        }
    }
}

fn begin() -> Setup<(String, String)> {
    let birth = Birth::begin(WorkerKind::Guarded)?;
    let channel = Channel::from_standard_input()?;
    let hello = Hello {
        build: BUILD_ID,
        kind: WorkerKind::Guarded,
        layers: Vec::new(),
    };
    send(&channel, &hello)?;
    let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
    if channel.receive(&mut buffer, &mut descriptors)? != Received::Frame {
        return Err("the supervisor is gone".into());
    }
    let ToGuarded::Begin(begin) = decode(&buffer)? else {
        return Err("the supervisor asked for something else first".into());
    };
    let mut beside = descriptors.into_iter();
    let mut next = || beside.next().ok_or("too few descriptors came");
    let noting = Refusals::adopt(next()?)?.install()?;
    let standard = [next()?, next()?, next()?];
    let paths = |paths: &[String]| paths.iter().map(PathBuf::from).collect();
    let quarters = Quarters {
        read: paths(&begin.read),
        write: paths(&begin.write),
        folder: PathBuf::from(&begin.folder),
        scratch_bytes: begin.scratch_bytes,
    };
    let limits = ResourceLimits {
        data_bytes: u64::MAX,
        threads: Some(begin.threads),
        ..ResourceLimits::default()
    };
    let walled = birth.wall_in(&limits, &quarters)?;
    let mut layers = walled.layers().to_vec();
    let folder = walled.folder().display().to_string();
    settle_descriptors(channel, standard)?;
    let confined = walled.lock_guarded(&begin.profiles, noting)?;
    layers.extend_from_slice(confined.layers());
    say(&FromGuarded::Walled(layers))?;
    let BeginRequest { setup, .. } = *begin;
    Ok((setup, folder))
}

/// Gives every descriptor the number that it has from now on.
fn settle_descriptors(channel: Channel, standard: [OwnedFd; 3]) -> Setup<()> {
    let checked = |result: c_int| match result {
        -1 => Err(std::io::Error::last_os_error()),
        number => Ok(number),
    };
    // SAFETY: the channel's descriptor is open, and its copy is a new one.
    let aside = checked(unsafe { libc::fcntl(channel.as_raw_fd(), libc::F_DUPFD_CLOEXEC, ABOVE) })?;
    // It was standard input, which is replaced now and not closed.
    let _ = OwnedFd::from(channel).into_raw_fd();
    for (number, descriptor) in (0..).zip(&standard) {
        // SAFETY: both are numbers; what standard descriptors were is nobody's any more.
        checked(unsafe { libc::dup2(descriptor.as_raw_fd(), number) })?;
    }
    drop(standard);
    // SAFETY: both are numbers; the channel's is free, or that of something that was handed over and is not needed.
    checked(unsafe { libc::dup3(aside, CHANNEL, libc::O_CLOEXEC) })?;
    // SAFETY: the descriptor is this function's own.
    drop(unsafe { OwnedFd::from_raw_fd(aside) });
    // SAFETY: the descriptor is open, and nobody else's.
    let channel = Channel::from(unsafe { OwnedFd::from_raw_fd(CHANNEL) }).patient();
    SUPERVISOR
        .set(channel)
        .map_err(|_| "the walls are up already")?;
    Ok(())
}

fn supervisor() -> PyResult<&'static Channel> {
    let missing = || PyRuntimeError::new_err("this is no guarded process");
    SUPERVISOR.get().ok_or_else(missing)
}

fn say(word: &FromGuarded) -> std::io::Result<()> {
    let gone = || std::io::Error::other("there is no supervisor");
    send(SUPERVISOR.get().ok_or_else(gone)?, word)
}

fn told(word: &FromGuarded) -> PyResult<()> {
    say(word).map_err(|error| PyOSError::new_err(error.to_string()))
}

/// Says that everything is imported, or why not.
#[pyfunction]
#[pyo3(signature = (failure=None))]
pub(crate) fn guarded_ready(failure: Option<String>) -> PyResult<()> {
    told(&FromGuarded::Ready { failure })
}

/// A call that came: its number, the parcel as bytes or as a descriptor, its size and that of the pickles in it, and where buffers
/// lie: the descriptor of each that has one, else -1; offset; size.
type Call = (
    u64,
    Option<Py<PyBytes>>,
    RawFd,
    u64,
    u64,
    u64,
    Vec<(RawFd, u64, u64)>,
);

/// Waits for a call. `None`: the supervisor is gone.
#[pyfunction]
pub(crate) fn guarded_receive(py: Python<'_>) -> PyResult<Option<Call>> {
    let channel = supervisor()?;
    if pending().is_some() {
        return taken(py).map(Some);
    }
    let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
    loop {
        let received = py.detach(|| channel.receive(&mut buffer, &mut descriptors));
        match received {
            Ok(Received::Frame) => {}
            Ok(Received::Closed) => return Ok(None),
            Ok(_) => continue,
            Err(error) => return Err(PyOSError::new_err(error.to_string())),
        }
        let word = decode(&buffer).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let ToGuarded::Call(call) = word else {
            // Memory for a call that is over.
            continue;
        };
        *pending() = Some(call);
        *BESIDE.lock().unwrap_or_else(PoisonError::into_inner) =
            descriptors.drain(..).map(IntoRawFd::into_raw_fd).collect();
        // What interrupts before it came was meant for an earlier one.
        let _ = py.check_signals();
        return taken(py).map(Some);
    }
}

/// The call that has come, as Python takes it up.
fn taken(py: Python<'_>) -> PyResult<Call> {
    let pending = pending();
    let none = || PyRuntimeError::new_err("no call has come");
    let call = pending.as_ref().ok_or_else(none)?;
    let beside = BESIDE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut beside = beside.into_iter();
    let mut next = || {
        beside
            .next()
            .ok_or_else(|| PyValueError::new_err("too few descriptors came"))
    };
    let (inline, parcel) = match &call.parcel {
        Some(payload) => (Some(PyBytes::new(py, &payload.0).unbind()), -1),
        None => (None, next()?),
    };
    let buffers = call.buffers.iter().map(|place| {
        let own = match place.is_own {
            true => next()?,
            false => -1,
        };
        Ok((own, place.offset_bytes, place.len_bytes))
    });
    let buffers = buffers.collect::<PyResult<_>>()?;
    Ok((
        call.id,
        inline,
        parcel,
        call.parcel_bytes,
        call.function_bytes,
        call.pickle_bytes,
        buffers,
    ))
}

/// Says how the call that has come ended, if nothing has said so yet.
fn ended(id: u64, end: CallEnd) -> PyResult<()> {
    let mut pending = pending();
    if pending.take_if(|call| call.id == id).is_none() {
        return Ok(());
    }
    drop(pending);
    flush();
    told(&FromGuarded::Ended {
        id,
        end: Box::new(end),
    })
}

/// Asks for memory for results: its descriptor; `None` if it is more than may be returned.
#[pyfunction]
pub(crate) fn guarded_memory(py: Python<'_>, id: u64, bytes: u64) -> PyResult<Option<RawFd>> {
    told(&FromGuarded::Needs { id, bytes })?;
    let channel = supervisor()?;
    let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
    let received = py.detach(|| channel.receive(&mut buffer, &mut descriptors));
    match received {
        Ok(Received::Frame) => {}
        Ok(_) => return Err(PyOSError::new_err("the supervisor is gone")),
        Err(error) => return Err(PyOSError::new_err(error.to_string())),
    }
    match decode(&buffer).map_err(|error| PyValueError::new_err(error.to_string()))? {
        ToGuarded::Memory { id: of } if of == id => {
            Ok(descriptors.pop().map(IntoRawFd::into_raw_fd))
        }
        _ => Ok(None),
    }
}

/// Says what a call returned: its value's text and arrays in `inline` or in the memory that was asked for; of each array its dtype,
/// its extents and where it begins.
#[pyfunction]
pub(crate) fn guarded_returned(
    id: u64,
    inline: Option<&[u8]>,
    value_bytes: u64,
    arrays: Vec<(String, Vec<u64>, u64)>,
) -> PyResult<()> {
    let array = |(dtype, shape, offset_bytes): (String, Vec<u64>, u64)| {
        Ok(ReturnedArray {
            dtype: crate::memory::dtype(&dtype)?,
            shape,
            offset_bytes,
        })
    };
    ended(
        id,
        CallEnd::Returned {
            inline: inline.map(|bytes| Payload(bytes.to_vec().into())),
            value_bytes,
            arrays: arrays.into_iter().map(array).collect::<PyResult<_>>()?,
        },
    )
}

/// Says what a call raised.
#[pyfunction]
#[pyo3(signature = (id, kind, message, traceback, requested=None))]
pub(crate) fn guarded_raised(
    id: u64,
    kind: &str,
    message: String,
    traceback: String,
    requested: Option<u64>,
) -> PyResult<()> {
    let kind = match kind {
        "memory" => RaisedKind::Memory,
        "threads" => RaisedKind::Threads,
        "processes" => RaisedKind::Processes,
        "scratch" => RaisedKind::Scratch,
        "not-permitted" => RaisedKind::NotPermitted,
        "interrupted" => RaisedKind::Interrupted,
        "unreturnable" => RaisedKind::Unreturnable,
        "unreadable" => RaisedKind::Unreadable,
        _ => RaisedKind::Own,
    };
    let cut = |mut words: String, most: usize| {
        words.truncate(words.floor_char_boundary(most));
        words
    };
    ended(
        id,
        CallEnd::Raised(Raised {
            kind,
            message: cut(message, 8 << 10),
            traceback: cut(traceback, 16 << 10),
            requested_bytes: requested,
        }),
    )
}

/// Has what C's functions have buffered written.
fn flush() {
    // SAFETY: every open stream is flushed.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

/// Says what a compiler does: an event as JSON.
#[pyfunction]
pub(crate) fn guarded_jit(event: &str) -> PyResult<()> {
    let value: Value =
        serde_json::from_str(event).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let event = event_of(&value).ok_or_else(|| PyValueError::new_err("no such event"))?;
    told(&FromGuarded::Jit(Box::new(event)))
}

fn event_of(value: &Value) -> Option<JitEvent> {
    let word = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    let system: JitSystem = word("system")?.parse().ok()?;
    let (id, function) = (value.get("id")?.as_u64()?, word("function")?);
    if value.get("event")? == "begin" {
        return Some(JitEvent::Begin {
            id,
            system,
            function,
        });
    }
    let list = |name: &str| value.get(name).and_then(Value::as_array);
    let array = |array: &Value| {
        let extents = array.get("shape")?.as_array()?;
        Some(JitArray {
            name: array.get("name")?.as_str()?.to_owned(),
            dtype: array.get("dtype")?.as_str()?.parse::<DType>().ok()?,
            shape: extents.iter().map(Value::as_u64).collect::<Option<_>>()?,
        })
    };
    let phase = |phase: &Value| Some((phase.get(0)?.as_str()?.to_owned(), phase.get(1)?.as_u64()?));
    let arguments = list("arguments").into_iter().flatten().filter_map(array);
    let phases = list("phases").into_iter().flatten().filter_map(phase);
    Some(JitEvent::End(JitEnd {
        id,
        system,
        function,
        arguments: arguments.take(hotcell_model::guard::JIT_ARRAYS).collect(),
        template: word("template").unwrap_or_default(),
        phases: phases.take(hotcell_model::guard::JIT_PHASES).collect(),
        total_ns: value.get("total_ns")?.as_u64()?,
        cache: word("cache")?.parse::<JitCache>().ok()?,
        why: word("why").unwrap_or_default(),
        failed: value
            .get("failed")
            .and_then(Value::as_bool)
            .unwrap_or(false),
    }))
}
