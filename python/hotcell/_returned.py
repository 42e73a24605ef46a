"""What comes back from a guarded process: data, read as such, and never unpickled."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from . import _arrays, _native
from .errors import HostFault

#: The most keys of a value whose hashes are others' too.
_SAME_HASHES = 64
#: The deepest nesting of a value that came back.
_DEPTH = 200


def decoded(native: _native.GuardReturn) -> Any:
    """What a guarded process returned. Its text is read as data, whatever it is."""
    assert native.text is not None
    whole = None if native.memory is None else _arrays.of_memory(native.memory)
    arrays = []
    for dtype, shape, offset in native.arrays:
        of = _arrays.dtype_of(dtype)
        size = math.prod(shape) * of.itemsize
        assert whole is not None
        part = whole[offset : offset + size]
        if dtype == "bool" and size and part.max() > 1:
            # Every byte but zero and one is nobody's bool.
            part = (part != 0).view("u1")
        arrays.append(part.view(of).reshape(shape))
    try:
        return _value_of(json.loads(native.text), arrays, 0)
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise HostFault(f"a guarded process returned what is no value: {type(error).__name__}") from None


def _value_of(value: Any, arrays: list[Any], depth: int) -> Any:
    if not isinstance(value, (list, dict)):
        return value
    if isinstance(value, dict) or not value or depth > _DEPTH:
        raise ValueError("no value")
    kind, rest = value[0], value[1:]
    if kind in ("a", "n"):
        (position,) = rest
        if type(position) is not int or position < 0:
            raise ValueError("no position")
        return arrays[position] if kind == "a" else arrays[position][()]
    if kind == "d":
        pairs = [(_value_of(key, arrays, depth + 1), _value_of(item, arrays, depth + 1)) for key, item in rest]
        _check_keys([key for key, _ in pairs])
        return dict(pairs)
    if kind in ("l", "t"):
        items = [_value_of(item, arrays, depth + 1) for item in rest]
        return items if kind == "l" else tuple(items)
    if kind in ("s", "z"):
        items = [_value_of(item, arrays, depth + 1) for item in rest]
        _check_keys(items)
        return set(items) if kind == "s" else frozenset(items)
    if kind == "c":
        real, imaginary = (float(_value_of(part, arrays, depth + 1)) for part in rest)
        return complex(real, imaginary)
    (text,) = rest
    if not isinstance(text, str):
        raise ValueError("no text")
    if kind == "i":
        return int(text, 16)
    if kind == "f":
        return {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}[text]
    if kind == "b":
        return base64.b64decode(text, validate=True)
    raise ValueError("no value")


def _check_keys(keys: list[Any]) -> None:
    """Refuse keys of which many have the same hash: each would be compared with all before it."""
    if len(keys) - len({hash(key) for key in keys}) > _SAME_HASHES:
        raise ValueError("keys of the same hash")
