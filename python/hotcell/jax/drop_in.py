"""``hotcell.jax.jit``: what ``jax.jit`` does for arrays in and out, inside the cell.

A function is imported when it is first called with arguments of a shape, dtype and structure. Called with tracers, inside other JAX programs,
it becomes a callback, and its gradient is a function that is imported as well.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .api import Imported, compare, compiled, launched
from .export import exported, legal_name


def jit(
    fn: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    check: bool = True,
    tolerance: float | None = None,
    host: Any = None,
    **options: Any,
) -> Any:
    """Run a JAX function in the cell: a stand-in for ``jax.jit``, as a function or a decorator.

    Args:
        fn: The function, of arrays, numbers and pytrees of them.
        static_argnums: The positions of arguments that are values for tracing, and not passed on.
        static_argnames: Their names.
        check: Whether the first result for each shape is compared with JAX's own.
        tolerance: The relative tolerance of that; as for :func:`hotcell.jax.kernel`.
        host: Who launches it. Default: the process's own cell.
        options: What :meth:`hotcell.Entry.options` takes: limits, grants and the rest, for every launch.

    Returns:
        A function that gives JAX arrays. It raises what launches raise, and :class:`ImportRefused` where something is not supported.
    """
    if fn is None:
        return functools.partial(
            jit, static_argnums=static_argnums, static_argnames=static_argnames, check=check, tolerance=tolerance, host=host, **options
        )
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    return functools.wraps(fn)(Jitted(fn, numbers, names, check, tolerance, host, options))


class Jitted:
    """A function that runs in the cell."""

    def __init__(
        self,
        fn: Callable[..., Any],
        static_numbers: tuple[int, ...],
        static_names: tuple[str, ...],
        check: bool,
        tolerance: float | None,
        host: Any,
        options: dict[str, Any],
    ) -> None:
        self._fn = fn
        self._static_numbers, self._static_names = _static(fn, static_numbers, static_names)
        self._check = check
        self._tolerance = tolerance
        self._host = host
        self._options = options
        self._known: dict[Any, Imported] = {}
        self._lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        bound, given, named = self._bound(args, kwargs)
        leaves, tree = jax.tree.flatten((given, named))
        static = (
            *((at, args[at]) for at in self._static_numbers if at < len(args)),
            *((name, kwargs[name]) for name in self._static_names if name in kwargs),
        )
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return self._traced(bound, leaves, tree, static)
        component = self.component(bound, leaves, tree, static)
        results = [jnp.asarray(one) for one in launched(component, leaves, **self._options)]
        return jax.tree.unflatten(component.out_tree, results)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """The function with its static arguments filled in, and the others."""
        if not self._static_numbers and not self._static_names:
            return self._fn, args, kwargs
        fixed = {at: args[at] for at in self._static_numbers if at < len(args)}
        fixed_names = {name: kwargs[name] for name in self._static_names if name in kwargs}

        def bound(*given: Any, **named: Any) -> Any:
            rest = iter(given)
            whole = [fixed[at] if at in fixed else next(rest) for at in range(len(args))]
            return self._fn(*whole, **fixed_names, **named)

        given = tuple(one for at, one in enumerate(args) if at not in fixed)
        return bound, given, {name: one for name, one in kwargs.items() if name not in fixed_names}

    def component(self, bound: Callable[..., Any], leaves: Sequence[Any], tree: Any, static: Any) -> Imported:
        """The component for arguments like these; it is imported the first time."""
        key = (tree, static, tuple(_kind(leaf) for leaf in leaves), bool(jax.config.jax_enable_x64))
        with self._lock:
            if key not in self._known:
                given, named = jax.tree.unflatten(tree, leaves)
                name = legal_name(getattr(self._fn, "__name__", "function"))
                component = compiled(exported(bound, given, named), name, host=self._host)
                if self._check:
                    flat = functools.partial(_of_leaves, bound, tree)
                    compare(component, flat, leaves, self._tolerance)
                self._known[key] = component
            return self._known[key]

    def _traced(self, bound: Callable[..., Any], leaves: Sequence[Any], tree: Any, static: Any) -> Any:
        """A callback in the program that is being traced, with a gradient."""
        flat = functools.partial(_of_leaves, bound, tree)
        shapes = jax.eval_shape(flat, *leaves)
        results, out_tree = jax.tree.flatten(shapes)

        def run(*values: Any) -> list[np.ndarray[Any, Any]]:
            arrays = [np.asarray(value) for value in values]
            return launched(self.component(bound, arrays, tree, static), arrays, **self._options)

        def direct(*values: Any) -> Any:
            return jax.pure_callback(run, results, *values, vmap_method="sequential")

        called = jax.custom_vjp(direct)

        def forward(*values: Any) -> Any:
            return called(*values), values

        def backward(values: Any, cotangents: Any) -> Any:
            return _pulled_back(self._gradient(flat, len(values)), values, cotangents)

        called.defvjp(forward, backward)
        return jax.tree.unflatten(out_tree, called(*leaves))

    def _gradient(self, flat: Callable[..., Any], count: int) -> Callable[..., Any]:
        """The imported function that pulls cotangents back."""

        def gradient(*given: Any) -> Any:
            values, cotangents = given[:count], given[count:]
            real = [at for at, value in enumerate(values) if jnp.issubdtype(value.dtype, jnp.inexact)]

            def of_real(*chosen: Any) -> Any:
                whole = list(values)
                for at, value in zip(real, chosen, strict=True):
                    whole[at] = value
                return [leaf for leaf in jax.tree.leaves(flat(*whole)) if jnp.issubdtype(leaf.dtype, jnp.inexact)]

            _, pull = jax.vjp(of_real, *(values[at] for at in real))
            return list(pull(list(cotangents)))

        return Jitted(gradient, (), (), self._check, self._tolerance, self._host, self._options)


def _pulled_back(gradient: Callable[..., Any], values: Sequence[Any], cotangents: Sequence[Any]) -> tuple[Any, ...]:
    """The cotangents of all arguments: those of whole numbers are of no dtype."""
    real = [one for one in cotangents if one.dtype != jax.dtypes.float0]
    pulled = iter(gradient(*values, *real))
    return tuple(
        next(pulled) if jnp.issubdtype(value.dtype, jnp.inexact) else np.zeros(np.shape(value), jax.dtypes.float0) for value in values
    )


def _of_leaves(fn: Callable[..., Any], tree: Any, *leaves: Any) -> Any:
    given, named = jax.tree.unflatten(tree, leaves)
    return fn(*given, **named)


def _kind(leaf: Any) -> tuple[Any, ...]:
    dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
    return (np.shape(leaf), str(jax.dtypes.canonicalize_dtype(dtype)))


def _static(fn: Callable[..., Any], numbers: tuple[int, ...], names: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Positions and names of static arguments, each said in both ways where the function tells."""
    try:
        parameters = list(inspect.signature(fn).parameters)
    except (TypeError, ValueError):
        return numbers, names
    all_numbers = {*(at % len(parameters) for at in numbers), *(parameters.index(name) for name in names if name in parameters)}
    return tuple(sorted(all_numbers)), (*names, *(parameters[at] for at in sorted(all_numbers) if parameters[at] not in names))
