"""Arrays of whatever library in, NumPy arrays out."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _native

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, np.dtype[Any]]

#: The dtypes of kernels, by their names in manifests.
_DTYPES: dict[str, np.dtype[Any]] = {
    "bool": np.dtype("?"),
    "i8": np.dtype("i1"),
    "i16": np.dtype("<i2"),
    "i32": np.dtype("<i4"),
    "i64": np.dtype("<i8"),
    "u8": np.dtype("u1"),
    "u16": np.dtype("<u2"),
    "u32": np.dtype("<u4"),
    "u64": np.dtype("<u8"),
    "f16": np.dtype("<f2"),
    "f32": np.dtype("<f4"),
    "f64": np.dtype("<f8"),
    "complex64": np.dtype("<c8"),
    "complex128": np.dtype("<c16"),
}

#: The other way round, in either byte order.
_NAMES: dict[np.dtype[Any], str] = {
    ordered: name for name, dtype in _DTYPES.items() for ordered in (dtype, dtype.newbyteorder(">"))
}

#: Where Python's numbers go where nothing else says what an array is of.
_PLAIN = (bool, int, float, complex)


def dtype_of(name: str) -> np.dtype[Any]:
    """NumPy's dtype of a kernel's. ``bf16`` needs the package ``ml_dtypes``."""
    known = _DTYPES.get(name)
    if known is not None:
        return known
    if name != "bf16":
        raise ValueError(f"there is no dtype `{name}`; there are: {', '.join(_DTYPES)}, bf16")
    try:
        import ml_dtypes
    except ImportError as error:
        raise ImportError("bfloat16 arrays need the package ml_dtypes: pip install hotcell[bfloat16]") from error
    return _DTYPES.setdefault(name, np.dtype(ml_dtypes.bfloat16))


def name_of(dtype: Any) -> str:
    """A kernel's name of a NumPy dtype, or of what NumPy makes one of; ``"bfloat16"`` and ``"bf16"`` are known, too."""
    if isinstance(dtype, np.dtype) and (known_as := _NAMES.get(dtype)) is not None:
        return known_as
    if isinstance(dtype, str) and dtype in ("bf16", "bfloat16"):
        return "bf16"
    found = np.dtype(dtype).newbyteorder("<")
    if found.name == "bfloat16":
        return "bf16"
    for name, known in _DTYPES.items():
        if known == found:
            return name
    raise TypeError(f"no kernel has arrays of {np.dtype(dtype)}")


def empty(shape: int | Sequence[int], dtype: Any = "float64") -> Array:
    """Make an array of zeros that a launch takes as it is, without a copy.

    Args:
        shape: The extents, or one extent.
        dtype: NumPy's dtype, or what NumPy makes one of; ``"bfloat16"`` with the package ``ml_dtypes``.

    Returns:
        A NumPy array in C order. Fill it, and pass it. What is written to it after a launch took it costs the next launch a
        copy. It must not be written to while a launch has it.
    """
    extents = [operator.index(extent) for extent in ([shape] if isinstance(shape, (int, np.integer)) else shape)]
    if any(extent < 0 for extent in extents):
        raise ValueError("negative dimensions are not allowed")
    return of_memory(_native.Memory(name_of(dtype), extents))


def of_memory(memory: _native.Memory) -> Array:
    """The array over native memory, which lives as long as any view of it."""
    array: Array = memory.array()
    return array.view(dtype_of("bf16")) if memory.dtype == "bf16" else array


def given(entry: str, name: str, dtype: str, value: Any) -> Array:
    """An argument as an array of that dtype, in C order and of this machine's byte order; a copy where it was not."""
    array = value if type(value) is np.ndarray else _as_numpy(entry, name, value)
    wanted = dtype_of(dtype)
    if array.dtype != wanted:
        array = _cast(entry, name, wanted, array, value)
    # NumPy would make an array of rank 1 of one of rank 0.
    return array if array.flags.c_contiguous else np.array(array, order="C", copy=True)


def _as_numpy(entry: str, name: str, value: Any) -> Array:
    if hasattr(value, "columns") and len(getattr(value, "shape", ())) == 2:
        raise TypeError(f"`{name}` of `{entry}` was given a data frame: pass a column of it, or its to_numpy()")
    try:
        if isinstance(value, np.ma.MaskedArray) and np.any(np.ma.getmaskarray(value)):  # type: ignore[no-untyped-call, unused-ignore]
            raise ValueError("it is masked; fill it")
        if isinstance(value, np.ndarray):
            return np.asarray(value)
        if hasattr(value, "__array_interface__") or isinstance(getattr(value, "dtype", None), np.dtype):
            return np.asarray(value)
        if hasattr(value, "__arrow_c_array__") or hasattr(value, "__arrow_c_stream__"):
            return _of_arrow(entry, name, value)
        if hasattr(value, "__dlpack__") and not isinstance(value, np.generic):
            return np.from_dlpack(_on_cpu(value))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return _of_buffer(value)
        return np.asarray(value)
    except (TypeError, ValueError, BufferError, RuntimeError) as error:
        raise TypeError(f"`{name}` of `{entry}` is no array that can be read here: {error}") from error


def _of_buffer(value: bytes | bytearray | memoryview) -> Array:
    view = memoryview(value)
    # A plain buffer of bytes is an array of them.
    return np.frombuffer(view, dtype="u1") if view.format == "B" and view.contiguous and view.ndim == 1 else np.asarray(view)


def _on_cpu(value: Any) -> Any:
    """A tensor that needs no gradient, and whose memory is what it says: PyTorch negates and conjugates when that is read."""
    if callable(getattr(value, "detach", None)) and getattr(value, "requires_grad", False):
        value = value.detach()
    for resolve in ("resolve_conj", "resolve_neg"):
        if callable(getattr(value, resolve, None)):
            value = getattr(value, resolve)()
    return value


def _of_arrow(entry: str, name: str, value: Any) -> Array:
    """Arrow's arrays have a mask beside their values, which kernels have no word for."""
    nulls = getattr(value, "null_count", None)
    if callable(nulls):
        nulls = nulls()
    if nulls is None and hasattr(value, "isna"):
        nulls = int(value.isna().sum())
    if nulls:
        raise ValueError(f"it has {nulls} nulls; fill them, or drop them")
    to_numpy = getattr(value, "to_numpy", None)
    if to_numpy is None:
        try:
            import pyarrow
        except ImportError as error:
            raise TypeError("an array that has Arrow's C data interface alone is read with the package pyarrow") from error
        return _of_arrow(entry, name, pyarrow.array(value))
    try:
        array = np.asarray(to_numpy(zero_copy_only=False))
    except TypeError:
        array = np.asarray(to_numpy())
    if array.ndim != 1 or array.dtype == object:
        raise ValueError("it is nested, and there may be nulls inside; pass a NumPy array of what is in it")
    return array


def _cast(entry: str, name: str, wanted: np.dtype[Any], array: Array, value: Any) -> Array:
    if array.dtype == wanted.newbyteorder():
        return array.astype(wanted)
    # Python's own numbers have no dtype that anybody chose: what they are is what counts.
    if isinstance(value, (list, tuple, *_PLAIN)) and array.dtype.kind in "biuf" and wanted.kind in "iufcV":
        with np.errstate(all="ignore"):
            cast = array.astype(wanted)
            is_rounded = array.dtype.kind == "f" and wanted.kind in "fcV"
            is_kept = np.all(np.isfinite(cast) == np.isfinite(array)) if is_rounded else _holds(array, cast)
        if is_kept:
            return cast
    if wanted.kind != "V" and np.can_cast(array.dtype, wanted, "safe"):
        cast = array.astype(wanted)
        # NumPy calls it safe to have whole numbers of 64 bits in floats of 53.
        if array.dtype.itemsize < 8 or wanted.kind not in "fc" or _holds(array, cast):
            return cast
    raise TypeError(
        f"`{name}` of `{entry}` is an array of {wanted}, and {array.dtype} was given, which does not fit into it without loss;"
        f" pass {name}.astype({str(wanted)!r}) if that is meant"
    )


def _holds(array: Array, cast: Array) -> bool:
    """Whether whole numbers are still what they were."""
    if array.dtype.kind == "f":
        return bool(np.all(cast.astype(array.dtype) == array))
    if array.dtype.kind == "b" or not array.size:
        return True
    if cast.dtype.kind in "iu":
        bounds = np.iinfo(cast.dtype)
        return bool(bounds.min <= int(array.min()) and int(array.max()) <= bounds.max)
    back = (cast.real if cast.dtype.kind == "c" else cast).astype("f8")
    # Where doubles hold all whole numbers they are compared, and elsewhere Python's, which have no bound.
    is_large = (array > 2**53) | (array < -(2**53)) if array.dtype.itemsize == 8 else np.zeros(array.shape, "?")
    large = zip(array[is_large].tolist(), back[is_large].tolist())
    return bool(np.all(back[~is_large] == array[~is_large]) and all(np.isfinite(one) and int(one) == whole for whole, one in large))


def check_target(entry: str, name: str, dtype: str, target: Any) -> None:
    """Refuses what no result of that dtype can be put into, before anything is launched."""
    if type(target) is not np.ndarray:
        raise TypeError(f"out= of `{entry}` takes NumPy arrays, and {type(target).__name__} was given for `{name}`")
    if not target.flags.writeable:
        raise ValueError(f"out= of `{entry}` has an array for `{name}` that cannot be written to")
    if not np.can_cast(dtype_of(dtype), target.dtype, "safe"):
        raise ValueError(f"`{name}` of `{entry}` is {dtype_of(dtype)}, which does not fit into the {target.dtype} that out= gives")


def check_shape(entry: str, name: str, result: Array, target: Array) -> None:
    """Refuses an array of the caller's that a result does not fit into."""
    if target.shape != result.shape:
        raise ValueError(
            f"`{name}` of `{entry}` is {result.dtype}{list(result.shape)}, which does not fit into the"
            f" {target.dtype}{list(target.shape)} that out= gives"
        )
