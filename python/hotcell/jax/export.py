"""A JAX function to a StableHLO module, and what its arguments and results are called.

Arguments are flattened as JAX does it; an argument's name is its parameter's, followed by its path within it. What the function does not use
is no argument of the kernel.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import export

from hotcell.errors import ImportRefused

from .types import Dim, Shape, dtype_name

#: What a kernel's function may not be called: it is taken in the object.
_TAKEN = frozenset({"hotcell_alloc", "memcpy", "memmove", "memset", "launch", "cabi_realloc"})
#: The longest name.
_LONGEST = 60


@dataclass(frozen=True)
class Array:
    """An argument or a result.

    Attributes:
        name: Its name in the manifest.
        shape: Its shape, with named dimensions.
        dtype: Its element type by the manifest's name.
        position: Its place among the leaves of all arguments, or of all results.
    """

    name: str
    shape: Shape
    dtype: str
    position: int


@dataclass(frozen=True)
class Exported:
    """A function as a module.

    Attributes:
        module: The module's text.
        inputs: The arguments that the module takes, in its order.
        outputs: What it gives.
        dims: The named dimensions.
        out_tree: How the results are put together.
    """

    module: str
    inputs: list[Array]
    outputs: list[Array]
    dims: list[str]
    out_tree: Any


def exported(
    fn: Callable[..., Any], arguments: Sequence[Any], keywords: dict[str, Any] | None = None, shapes: str | None = None
) -> Exported:
    """Export a function for arguments like these.

    Args:
        fn: The function; it may be jitted already.
        arguments: Examples, or ``jax.ShapeDtypeStruct``.
        keywords: The same by name.
        shapes: A signature whose input side names the dimensions of the arrays; ``None`` for the examples' shapes.

    Raises:
        ImportRefused: JAX does not export it, or a shape is none that a kernel can have.
    """
    keywords = keywords or {}
    specs = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), jax.dtypes.canonicalize_dtype(_dtype(leaf))), (tuple(arguments), keywords))
    leaves, tree = jax.tree.flatten(specs)
    if shapes is not None:
        leaves = _named(leaves, shapes)
    given, named = jax.tree.unflatten(tree, leaves)
    jitted = fn if hasattr(fn, "lower") else jax.jit(fn)
    try:
        made = export.export(jitted, platforms=("cpu",))(*given, **named)
    except Exception as error:
        raise ImportRefused(f"jax does not export the function: {_first_line(error)}", advice=_advice(error)) from error
    paths = _paths(fn, arguments, keywords)
    names = Names()
    kept = [int(at) for at in made.module_kept_var_idx]
    inputs = [_array(made.in_avals[at], names.fresh(paths[at]), at) for at in kept]
    outs = _result_paths(made.out_tree)
    outputs = [_array(aval, names.fresh(path), at) for at, (aval, path) in enumerate(zip(made.out_avals, outs, strict=True))]
    dims = _dims(inputs, outputs, names)
    return Exported(made.mlir_module(), inputs, outputs, dims, made.out_tree)


def _dtype(leaf: Any) -> Any:
    if isinstance(leaf, (bool, int, float, complex)):
        return jax.dtypes.canonicalize_dtype(np.asarray(leaf).dtype)
    dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
    if jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key):
        raise ImportRefused("a key of jax.random is no array", dtype=str(dtype), advice="pass jax.random.key_data(key), and wrap_key_data it inside")
    return dtype


def _named(leaves: Sequence[Any], shapes: str) -> list[Any]:
    """The leaves with the dimensions of a signature."""
    groups = re.findall(r"\(([^()]*)\)", shapes.split("->")[0])
    arrays = [leaf for leaf in leaves if leaf.shape]
    if len(groups) != len(arrays):
        raise ImportRefused(
            f"shapes has {len(groups)} arrays and the function takes {len(arrays)}", advice="name the dimensions of each array that is no scalar"
        )
    scope = export.SymbolicScope()
    rest = iter(groups)
    named = []
    for leaf in leaves:
        if not leaf.shape:
            named.append(leaf)
            continue
        text = next(rest)
        try:
            shape = export.symbolic_shape(text, like=leaf.shape, scope=scope)
        except Exception as error:
            raise ImportRefused(f"({text}) does not fit the shape {leaf.shape}: {_first_line(error)}", advice="give a name or a number for each dimension") from error
        named.append(jax.ShapeDtypeStruct(shape, leaf.dtype))
    return named


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def _advice(error: Exception) -> str:
    text = str(error)
    if "callback" in text or "effects" in text.lower():
        return "a kernel cannot call back into Python: leave callbacks and debug prints out"
    if "symbolic" in text or "inconclusive" in text.lower() or "InconclusiveDimension" in type(error).__name__:
        return "give the shapes as numbers, without shapes="
    return "see that jax.export.export takes it"


def _array(aval: Any, name: str, position: int) -> Array:
    return Array(name, tuple(_extent(one) for one in aval.shape), dtype_name(aval.dtype), position)


def _extent(extent: Any) -> Any:
    if isinstance(extent, int):
        return extent
    text = str(extent)
    if not re.fullmatch(r"[A-Za-z_]\w*", text):
        raise ImportRefused(f"the extent {text} is derived from others, which a signature cannot say", advice="give the shapes as numbers")
    return Dim.named(text)


def _paths(fn: Callable[..., Any], arguments: Sequence[Any], keywords: dict[str, Any]) -> list[str]:
    """A name for each leaf of the arguments."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind == p.VAR_POSITIONAL), "arg")
    found = []
    for path, _ in jax.tree_util.tree_flatten_with_path((tuple(arguments), keywords))[0]:
        side, first, *inner = path
        if side.idx == 1:
            base = str(first.key)
        else:
            base = positional[first.idx] if first.idx < len(positional) else f"{rest}{first.idx - len(positional)}"
        found.append("_".join([base, *map(_key, inner)]))
    return found


def _key(part: Any) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(part, attribute):
            return str(getattr(part, attribute))
    return str(part)


def _result_paths(tree: Any) -> list[str]:
    leaves = jax.tree_util.tree_flatten_with_path(jax.tree.unflatten(tree, range(tree.num_leaves)))[0]
    if len(leaves) == 1:
        return ["out"]
    named = []
    for path, _ in leaves:
        words = [_key(part) for part in path]
        named.append("_".join(words) if words and not words[0].isdigit() else "out" + "_".join(words))
    return named


class Names:
    """Names that manifests can have, each once."""

    def __init__(self) -> None:
        self.given: set[str] = set()

    def fresh(self, wanted: str) -> str:
        name = re.sub(r"[^A-Za-z0-9_]+", "_", wanted)[:_LONGEST].strip("_") or "x"
        if name[0].isdigit():
            name = f"x{name}"
        unique, count = name, 2
        while unique in self.given:
            unique, count = f"{name}_{count}", count + 1
        self.given.add(unique)
        return unique


def _dims(inputs: Sequence[Array], outputs: Sequence[Array], names: Names) -> list[str]:
    found: dict[str, None] = {}
    for array in [*inputs, *outputs]:
        for extent in array.shape:
            if isinstance(extent, Dim):
                found[str(extent.name)] = None
    clash = next((dim for dim in found if dim in names.given), None)
    if clash is not None:
        raise ImportRefused(f"the dimension {clash} is called as an argument or a result is", advice="call it something else in shapes")
    return list(found)


def legal_name(wanted: str) -> str:
    """A name for a kernel."""
    name = Names().fresh(wanted.replace("<lambda>", "function"))
    return f"{name}_kernel" if name in _TAKEN else name
