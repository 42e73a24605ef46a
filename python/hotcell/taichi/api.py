"""Import Taichi kernels: `kernel` gives a component of what Taichi compiles."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._importing.finish import component_of
from hotcell.errors import ImportRefused, InvalidComponent
from .arguments import injected, template_names
from .build import Built, Call, build
from .compile import Instance, instance_of, taichi_runtime, untaped
from .driver import Run
from .runtime import is_known
from .unroll import object_of

if TYPE_CHECKING:
    from .._importing.component import ImportedComponent
    from .gpu import GpuForm

__all__ = ["assembled", "calls_of", "imported", "kernel", "taichi_kernel"]


def kernel(
    k: Any = None,
    signature: str | None = None,
    fields: Mapping[str, Any] | None = None,
    targets: Sequence[str] = ("cpu",),
    name: str | None = None,
    check: bool | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    tolerance: float | None = None,
    **options: Any,
) -> Any:
    """Make a component of a Taichi kernel, unchanged; or, as a decorator in place of ``@ti.kernel``, a kernel whose calls run in the cell.

    The entry takes what the kernel takes, and its fields: arrays that the kernel reads are inputs, those that it writes are read and
    written, and come back; the caller's own are not touched. What it returns is an output, ``result``. Vectors and matrices are inner
    dimensions. One that draws random numbers takes ``seed``: the numbers are those of Taichi's first thread after
    ``ti.init(random_seed=seed)``, the same for the same seed.

    Args:
        k: A function, which is decorated: a :class:`CelledKernel` comes of it, and of the other arguments only ``check``, by default
            ``False`` there, and ``options`` matter. Or a ``@ti.kernel``, a method of a ``@ti.data_oriented`` object, ``k.grad``. Or a list
            that is run in its order, of kernels, ``(kernel, count)``, ``(kernel, count, arguments)`` and ``([steps], count)``, where
            ``arguments`` says by the kernel's own names what its arguments are: a number, a template's value, or the name of the entry's
            parameter. Arguments of one name are one parameter. Or a graph that Taichi compiled in :func:`hotcell.taichi.recording`.
        signature: Shapes in the manifest's notation, such as ``"(n),(n)->(n)"``. Default: every array has extents of its own. An array
            that is only written is an output where the signature has it on the right alone: what the kernel does not write of it is then 0.
        fields: The fields that it uses, by the names that they get. Default: all, by the names under which the kernel finds them.
        targets: What it is compiled for: ``("cpu",)``, ``("gpu",)``, or ``("cpu", "gpu")``, which gives a component with two entries, that
            for the GPU with ``_gpu`` at the end of its name.
        name: The entry's name. Default: the kernel's.
        check: Whether it is run on example data and compared with Taichi's own result: the fields as they are, and ``arguments``.
        arguments: By name, what templates are, and what the other arguments are in the comparison. Without them arrays of 16 elements
            a dimension and scalars 1 are tried.
        tolerance: The relative tolerance of the comparison. Default: by the dtype.
        options: What launches of a decorated kernel are made with, as for :meth:`hotcell.Entry.options`.

    Returns:
        A loaded component with an entry for each target; or the decorated kernel.

    Raises:
        hotcell.ImportRefused: It uses what is not supported, or gives something else than Taichi; the text says where and what to do.
    """
    if k is None:
        return lambda function: _decorated(function, check, options)
    if inspect.isfunction(k) and not hasattr(k, "_primal"):
        return _decorated(k, check, options)
    if options:
        raise TypeError(f"kernel() has no argument `{next(iter(options))}` where it makes a component; its entry has options()")
    from .recording import compiled, is_graph

    how: dict[str, Any] = {"signature": signature, "fields": fields, "targets": targets, "arguments": arguments, "tolerance": tolerance}
    if is_graph(k):
        return compiled(k, name=name or "graph", check=bool(check), **how).component
    component: ImportedComponent = imported(k, name=name, check=check, **how)[1]
    return component


def imported(
    k: Any,
    signature: str | None = None,
    fields: Mapping[str, Any] | None = None,
    targets: Sequence[str] = ("cpu",),
    name: str | None = None,
    check: bool | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    tolerance: float | None = None,
) -> tuple[Built, ImportedComponent]:
    """What :func:`kernel` makes a component of, and the component; for its arguments see there."""
    taichi_runtime()
    chosen_targets = _targets(targets)
    calls, runs = calls_of(k, fields, arguments)
    chosen = name or re.sub(r"\W", "_", calls[0].instance.kernel.func.__name__)
    if chosen == "hotcell_alloc" or is_known(chosen):
        raise ImportRefused(f"`{chosen}` is a function of the runtime too", advice="name= gives the entry another name")
    built = build(calls, chosen, signature, fields, _doc(calls), runs)
    form = None
    if "gpu" in chosen_targets:
        from .gpu import gpu_form

        form = gpu_form(built, chosen if chosen_targets == ("gpu",) else f"{chosen}_gpu")
    bytes_ = assembled(built, form, has_cpu="cpu" in chosen_targets)
    component = _loaded(bytes_)
    if check is not False:
        from .check import checked, entry_on_device

        with untaped():
            if "cpu" in chosen_targets:
                checked(built, built.calls, component[built.name], arguments or {}, tolerance)
            if form is not None:
                checked(built, built.calls, entry_on_device(bytes_, form.name), arguments or {}, tolerance, on_gpu=True)
    return built, component


def _targets(targets: Sequence[str]) -> tuple[str, ...]:
    given = (targets,) if isinstance(targets, str) else tuple(targets)
    if not given or set(given) - {"cpu", "gpu"}:
        said = ", ".join(map(repr, given)) or "none"
        raise ImportRefused(f"the targets are {said}", advice='say targets=("cpu",), ("gpu",) or ("cpu", "gpu")')
    return tuple(dict.fromkeys(given))


def _decorated(function: Any, check: bool | None, options: Mapping[str, Any]) -> Any:
    from .decorator import CelledKernel

    return CelledKernel(function, check=bool(check), **options)


def assembled(built: Built, form: GpuForm | None = None, *, has_cpu: bool = True) -> bytes:
    """The component's bytes.

    Args:
        built: The CPU's form.
        form: The GPU's; ``None`` for none.
        has_cpu: Whether the CPU's form is an entry.
    """
    component = {"name": built.name, "version": "0.1.0"}
    if form is None:
        return component_of(object_of(built.ir, keep=[built.name]), [component, built.record])
    from .gpu import shader_refused, whole_module

    # An entry says what it wants where another wants more.
    records = [{**built.record, "wants": []}, form.record] if has_cpu else [form.record]
    object_ = object_of(whole_module(built.ir if has_cpu else None, form), keep=[record["name"] for record in records])
    try:
        return component_of(object_, [component, *records], form.shaders)
    except InvalidComponent as error:
        raise shader_refused(error, built) from error


def _loaded(component: bytes) -> ImportedComponent:
    from .. import _cell, _native
    from .._importing.component import ImportedComponent

    return ImportedComponent(_native.Component(component), _cell.DEFAULT)


def calls_of(k: Any, fields: Mapping[str, Any] | None, arguments: Mapping[str, Any] | None) -> tuple[list[Call], list[Run]]:
    """The kernels that an entry runs, and in what order.

    Args:
        k: As for :func:`kernel`.
        fields: Values of templates, besides those in ``arguments``.
        arguments: As for :func:`kernel`.
    """
    program = _Program(fields or {}, arguments or {})
    runs = [program.run(step) for step in (k if isinstance(k, list) else [k])]
    if not runs:
        raise ImportRefused("a program has no kernels")
    return program.calls, runs


class _Program:
    """A program's kernels, each for the same arguments once."""

    def __init__(self, fields: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        self.calls: list[Call] = []
        self._known: dict[Any, int] = {}
        self._fields, self._given = fields, given

    def run(self, step: Any) -> Run:
        """A step: a kernel, a list of steps, or a tuple of either and how often, and of a kernel what its arguments are."""
        parts = step if isinstance(step, tuple) and 1 <= len(step) <= 3 else (step,)
        what = parts[0]
        times, binding = parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else {}
        if not isinstance(times, int) or not isinstance(binding, Mapping) or (isinstance(what, list) and binding):
            advice = "write kernel, (kernel, count), (kernel, count, arguments) or ([steps], count)"
            raise ImportRefused("a step of a program is none", advice=advice)
        if times < 1:
            raise ImportRefused(f"a step runs {times} times", advice="a count is at least 1")
        if isinstance(what, list):
            return Run(tuple(self.run(one) for one in what), times)
        return Run(self._call(what, binding), times)

    def _call(self, k: Any, binding: Mapping[str, Any]) -> int:
        own, owner = taichi_kernel(k)
        said = sorted((name, source if isinstance(source, str | int | float) else id(source)) for name, source in binding.items())
        key = (id(own), id(owner), tuple(said))
        if key in self._known:
            return self._known[key]
        templates = template_names(own)
        names = {argument.name for argument in own.arguments}
        values = {name: value for name, value in self._given.items() if name in names}
        values |= {name: self._fields[name] for name in templates if name in self._fields}
        # A template's value may be given by its step; a renamed argument's example goes by its new name.
        for name, source in binding.items():
            if name in templates or not isinstance(source, str):
                values[name] = source
            else:
                values.pop(name, None)
                if source in self._given:
                    values[name] = self._given[source]
        instance: Instance = instance_of(own, owner, injected(own, owner, values))
        self.calls.append(Call(instance, {name: source for name, source in binding.items() if name not in templates}))
        self._known[key] = len(self.calls) - 1
        return self._known[key]


def taichi_kernel(k: Any) -> tuple[Any, Any]:
    """Taichi's own ``Kernel``, and the object whose method it is."""
    from taichi.lang.kernel_impl import Kernel

    if isinstance(k, Kernel):
        return k, None
    method: Any = getattr(k, "__self__", None)
    if getattr(k, "__name__", "") == "grad" and getattr(method, "_adjoint", None) is not None:
        return method._adjoint, method._kernel_owner
    primal = getattr(k, "_primal", None)
    if primal is None:
        advice = "decorate it with @ti.kernel; a @ti.func is imported with the kernel that calls it"
        raise ImportRefused(f"{k!r} is no Taichi kernel", advice=advice)
    owner = None if getattr(k, "_is_staticmethod", False) else getattr(k, "_kernel_owner", None)
    return primal, owner


def _doc(calls: Sequence[Call]) -> str:
    documentation: str = calls[0].instance.kernel.func.__doc__ or ""
    paragraph = documentation.strip().split("\n\n")[0]
    return " ".join(paragraph.split())[:1000]
