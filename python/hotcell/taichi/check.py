"""Whether a component gives what Taichi gives: both are run on the same data, and the first element that differs is said.

Taichi runs with one thread, and what it does to fields is undone. Arrays that nobody gave an example of have room on both sides, so that a
kernel that reaches a little beyond them is found out, and does no harm.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hotcell.errors import ImportRefused
from .._importing.compare import first_difference, tolerance_of
from .arguments import Argument, Result
from .build import SEEDS, Built, Call, build
from .compile import configured, instance_of, taichi_runtime
from .driver import SEED_FACTOR, Parameter, Run
from .kinds import numpy_of
from .refusals import refused

__all__ = ["Example", "Launch", "as_near", "checked", "random_state", "reference", "seeds_of"]

Array = np.ndarray[Any, Any]
#: What a launch gives: by parameters' names.
Launch = Callable[[dict[str, Any]], Mapping[str, Array]]

#: What the comparison may take, which says nothing of what callers allow.
_LIMITS: dict[str, Any] = {"timeout": 600.0, "cpu_time": 600.0, "fuel": "10T", "memory": "2GiB"}
_GPU_LIMITS: dict[str, Any] = {"gpu_time": 600.0, "gpu_fuel": "50T", "gpu_invocations": "1T"}
#: What hotcell says where it has no device.
_NO_DEVICE = "no GPU to run on"
#: The extent of each dimension of an example, and how many elements beside it are watched.
_EXTENT, _ROOM = 16, 4096
#: What Taichi says of an index, and where it stands.
_OUTSIDE = re.compile(r'(?:Out of bound access|Accessing field).*File "([^"]+)", line (\d+)', re.DOTALL)
_GIVE_EXAMPLES = "give examples that it can be run on: arguments={…}, and fields with values; or check=False"


def checked(
    built: Built, calls: Sequence[Call], entry: Any, given: Mapping[str, Any], tolerance: float | None, *, on_gpu: bool = False
) -> None:
    """Run both and compare.

    Args:
        built: The entry.
        calls: The kernels that it runs.
        entry: The entry of a loaded component.
        given: Examples of arguments, by the names of the entry's parameters.
        tolerance: A relative tolerance in place of the dtypes' own.
        on_gpu: Whether it is the GPU's form.

    Raises:
        ImportRefused: An element differs, or the kernel fails on the example.
    """
    kernel = calls[0].instance.kernel
    example = Example(built, calls, given)
    if example.is_made_up:
        _stay_within(built, calls, example)
    try:
        got = _launched(entry.options(**_GPU_LIMITS) if on_gpu else entry)(dict(example.inputs))
    except Exception as error:
        if on_gpu and _NO_DEVICE in str(error):
            reason = f"there is no GPU here to try it on: {str(error).partition(_NO_DEVICE)[2].lstrip(': ')}"
            raise refused(reason, kernel, advice="check=False leaves the comparison out") from error
        raise refused(f"the component fails on the example: {error}", kernel, advice=_GIVE_EXAMPLES) from error
    want = reference(built, calls, example)
    differing = {name for name, array in want.items() if first_difference(np.asarray(got[name]), array, name=name, tolerance=tolerance)}
    if differing:
        # The same random numbers are not to be had again of Taichi: what rounding does is seen of the component then.
        others = [_otherwise(built, example)] if built.is_random else _others(built, calls, given)
        near = {name: as_near(np.asarray(got[name]), want[name], [other[name] for other in others], tolerance) for name in differing}
        differing = {name for name in differing if not near[name]}
    for name in want:
        if name in differing:
            difference = first_difference(np.asarray(got[name]), want[name], name=name, tolerance=tolerance)
            advice = "tolerance= says how near is near enough, and check=False leaves the comparison out"
            if on_gpu:
                advice = f"turns of a loop run at once on a GPU, so that what depends on their order differs; {advice}"
            raise refused(f"it gives something else than Taichi: {difference}", kernel, advice=advice)
    outside = example.touched()
    if outside is not None:
        reason = f"it writes outside of `{outside}` on an example with {_EXTENT} elements a dimension"
        raise refused(reason, kernel, advice="give examples: arguments={…}")


def _stay_within(built: Built, calls: Sequence[Call], example: Example) -> None:
    """Refuse what reaches outside of its arrays on an example that nobody gave: Taichi would write over this process's memory.

    It is the same kernel with Taichi's own checks of indices, and runs in the cell.
    """
    from .._component import load
    from .api import assembled

    try:
        with configured(check_out_of_bound=True):
            anew = [call._replace(instance=instance_of(call.instance.kernel, None, call.instance.arguments)) for call in calls]
            fields = {name: layout.field for name, layout in built.fields.items()}
            careful = build(anew, built.name, built.record["signature"], fields, "", built.runs)
    except (ImportRefused, RuntimeError):
        # Taichi checks indices of most that it compiles: what it cannot check is compared as it is.
        return
    try:
        _launched(load(assembled(careful))[careful.name])(dict(example.inputs))
    except Exception as error:
        kernel = calls[0].instance.kernel
        place = _OUTSIDE.search(str(error))
        if place is None:
            raise refused(f"it fails on an example with {_EXTENT} elements a dimension: {error}", kernel, advice=_GIVE_EXAMPLES) from error
        reason = f"it reaches outside of an array or a field on an example with {_EXTENT} elements a dimension"
        raise ImportRefused(reason, source=f"{place[1]}:{place[2]}", advice=_GIVE_EXAMPLES) from error


def entry_on_device(component: bytes, name: str) -> Any:
    """The GPU's form of an entry, in a cell that has this machine's device and nothing that an operator allows."""
    from .._component import load

    return load(component, host=_cell_with_device())[name]


@functools.cache
def _cell_with_device() -> Any:
    """One for all imports of a process: opening a device takes longer than most examples."""
    from .._cell import Cell

    return Cell(policy=False, tier="unprivileged", grants=["gpu"], gpu_device="any")


def _launched(entry: Any) -> Launch:
    limited = entry.options(**_LIMITS)

    def launch(inputs: dict[str, Any]) -> Mapping[str, Array]:
        ended = limited.run(**inputs)
        ended.check()
        results: Mapping[str, Array] = ended.results
        return results

    return launch


class _Roomy(NamedTuple):
    """An array in the middle of a larger one."""

    name: str
    array: Array
    whole: Array
    before: Array


class Example:
    """What both are run on."""

    def __init__(self, built: Built, calls: Sequence[Call], given: Mapping[str, Any], nudged: int = 0) -> None:
        #: The entry's inputs by name.
        self.inputs: dict[str, Any] = {}
        #: Whether there are arrays with indices that nobody gave.
        self.is_made_up = False
        self._roomy: list[_Roomy] = []
        #: For each call, what Taichi is called with.
        self.calls: list[list[Any]] = []
        random = np.random.default_rng(1)
        given = {**given, **_members(calls, given, built)}
        arrays: dict[str, Array] = {}
        for parameter in built.parameters:
            if parameter.role == "output" and not _is_argument(built, parameter):
                continue
            if parameter.name in built.fields or parameter.default is not None:
                continue
            if parameter.role == "scalar":
                self.inputs[parameter.name] = _number(given.get(parameter.name, 1), parameter.dtype)
            elif parameter.name not in given:
                self.is_made_up |= _is_indexed(built, parameter)
                arrays[parameter.name] = self._made(parameter, random)
                arrays[parameter.name][...] = _nudged(arrays[parameter.name], nudged)
            else:
                self.is_made_up |= getattr(given[parameter.name], "is_made_up", False)
                arrays[parameter.name] = _nudged(_array(given[parameter.name], parameter), nudged)
        scalars = dict(self.inputs)
        for call, bound in zip(calls, built.bound, strict=True):
            self.calls.append(list(_values(call, bound, arrays, scalars, given)))
        for name, array in arrays.items():
            parameter = next(parameter for parameter in built.parameters if parameter.name == name)
            if parameter.role != "output":
                self.inputs[name] = array.copy()
            else:
                array[...] = 0
        #: The fields' contents where they are others than those that the fields have.
        self.fields: dict[str, Array] = {}
        for name, layout in built.fields.items():
            content = _nudged(layout.field.to_numpy(), nudged)
            if nudged:
                self.fields[name] = content
            if next(p for p in built.parameters if p.name == name).role != "output":
                self.inputs[name] = content.reshape(layout.shape)
        if built.is_random:
            self.inputs |= seeds_of(random_state())
        self.arrays = arrays
        for dim, extent in _free(built, arrays).items():
            self.inputs[dim] = extent

    def _made(self, parameter: Parameter, random: np.random.Generator) -> Array:
        shape = tuple(dim if isinstance(dim, int) else _EXTENT for dim in parameter.dims)
        count = int(np.prod(shape))
        dtype = numpy_of(parameter.dtype)
        whole = np.zeros(count + 2 * _ROOM, dtype)
        if dtype.kind == "f":
            whole[:] = random.random(len(whole))
        array = whole[_ROOM : _ROOM + count].reshape(shape)
        self._roomy.append(_Roomy(parameter.name, array, whole, whole.copy()))
        return array

    def touched(self) -> str | None:
        """The name of an array beside which something was written."""
        for name, array, whole, before in self._roomy:
            end = _ROOM + array.size
            if not (np.array_equal(whole[:_ROOM], before[:_ROOM]) and np.array_equal(whole[end:], before[end:])):
                return name
        return None


def _free(built: Built, arrays: Mapping[str, Array]) -> dict[str, int]:
    """The extents that no input says."""
    inputs = {dim for p in built.parameters if p.role in ("input", "inout") for dim in p.dims}
    return {
        dim: arrays[parameter.name].shape[index]
        for parameter in built.parameters
        if parameter.role == "output" and parameter.name in arrays
        for index, dim in enumerate(parameter.dims)
        if isinstance(dim, str) and dim not in inputs
    }


def _is_argument(built: Built, parameter: Parameter) -> bool:
    return any(isinstance(source, Parameter) and source.name == parameter.name for bound in built.bound for _, source in bound)


def _members(calls: Sequence[Call], given: Mapping[str, Any], built: Built) -> dict[str, Any]:
    """The members of structures that examples have, by their parameters' names."""
    found: dict[str, Any] = {}
    for call, bound in zip(calls, built.bound, strict=True):
        runtime = _runtime(call)
        for argument, source in bound:
            top = runtime[argument.path[0]]
            if len(argument.path) > 1 and isinstance(source, Parameter) and top.name in given:
                value = given[top.name]
                for index in argument.path[1:]:
                    value = value[list(value.keys)[index]]
                found[source.name] = value
    return found


def _runtime(call: Call) -> list[Any]:
    from taichi.types.annotations import template

    return [argument for argument in call.instance.kernel.arguments if not isinstance(argument.annotation, template)]


def _values(
    call: Call,
    bound: Sequence[tuple[Argument, Parameter | str]],
    arrays: dict[str, Array],
    scalars: Mapping[str, Any],
    given: Mapping[str, Any],
) -> Iterator[Any]:
    """What Taichi is called with, the owner first where there is one."""
    from taichi.lang._ndarray import Ndarray
    from taichi.types.annotations import template

    sources = {argument.path: (argument, source) for argument, source in bound}
    index = 0
    for declared, value in zip(call.instance.kernel.arguments, call.instance.arguments, strict=True):
        if isinstance(declared.annotation, template):
            yield value
            continue
        argument, source = sources.get((index,), (None, None))
        index += 1
        if argument is None:
            yield _structure(declared.annotation, (index - 1,), sources, arrays, scalars)
        elif not isinstance(source, Parameter):
            yield call.binding[declared.name]
        elif argument.is_scalar:
            yield scalars[source.name]
        elif argument.ndim is None:
            yield declared.annotation(*arrays[source.name].reshape(-1).tolist())
        elif isinstance(given.get(source.name), Ndarray):
            yield _taichi_array(given[source.name], arrays, source.name)
        else:
            yield arrays[source.name]


def _is_indexed(built: Built, parameter: Parameter) -> bool:
    """Whether a parameter is an array with extents that a caller chooses."""
    return any(source == parameter and argument.ndim is not None for bound in built.bound for argument, source in bound)


def _structure(
    annotation: Any, path: tuple[int, ...], sources: Mapping[Any, Any], arrays: Mapping[str, Array], scalars: Mapping[str, Any]
) -> Any:
    """A structure of what its members' parameters are."""
    members = {}
    for index, (name, inner) in enumerate(annotation.members.items()):
        below = (*path, index)
        if below not in sources:
            members[name] = _structure(inner, below, sources, arrays, scalars)
            continue
        argument, source = sources[below]
        members[name] = scalars[source.name] if argument.is_scalar else inner(*arrays[source.name].reshape(-1).tolist())
    return annotation(**members)


def _taichi_array(original: Any, arrays: dict[str, Array], name: str) -> Any:
    """A new array of Taichi's with an array's elements, which it has from now on."""
    if not isinstance(arrays[name], _Held):
        copy = original.__deepcopy__()
        made = arrays[name].view(_Held)
        made.taichi = copy
        copy.from_numpy(np.asarray(arrays[name]))
        arrays[name] = made
    held: Any = arrays[name]
    return held.taichi


class _Held(np.ndarray[Any, Any]):
    """An array whose elements one of Taichi's has."""

    taichi: Any = None


def reference(built: Built, calls: Sequence[Call], example: Example) -> dict[str, Array]:
    """What Taichi itself gives on an example, by the names of the entry's outputs; fields are as before afterwards."""
    before = {name: layout.field.to_numpy() for name, layout in built.fields.items()}
    try:
        for name, array in example.fields.items():
            built.fields[name].field.from_numpy(array)
        last: dict[int, Any] = {}
        for index in _order(built.runs):
            # The very code that was imported, which has one thread.
            instance = calls[index].instance
            last[index] = instance.kernel.launch_kernel(instance.compiled, *example.calls[index])
        returned = [last[index] for index in range(len(calls))]
        want: dict[str, Array] = {}
        for parameter in built.parameters:
            if parameter.role not in ("inout", "output"):
                continue
            if parameter.name in built.fields:
                layout = built.fields[parameter.name]
                want[parameter.name] = layout.field.to_numpy().reshape(layout.shape)
            elif parameter.name in example.arrays:
                array = example.arrays[parameter.name]
                want[parameter.name] = array.taichi.to_numpy() if isinstance(array, _Held) else array.copy()
    finally:
        for name, array in before.items():
            built.fields[name].field.from_numpy(array)
    for results, value in zip(built.results, returned, strict=True):
        for result, parameter in results:
            want[parameter.name] = _returned(value, result)
    return want


def _order(runs: Sequence[Run]) -> Iterator[int]:
    """The calls of a program one by one, by their numbers."""
    for run in runs:
        for _ in range(run.times):
            if isinstance(run.what, int):
                yield run.what
            else:
                yield from _order(run.what)


def _others(built: Built, calls: Sequence[Call], given: Mapping[str, Any]) -> list[dict[str, Array]]:
    """What Taichi gives where rounding differs: with the other kind of arithmetic, and for inputs a little nearer to 0."""
    fast = taichi_runtime().prog.config().fast_math
    with configured(fast_math=not fast, cpu_max_num_threads=1):
        anew = [call._replace(instance=instance_of(call.instance.kernel, None, call.instance.arguments)) for call in calls]
        first = reference(built, anew, Example(built, anew, given))
    return [first, *(reference(built, calls, Example(built, calls, given, nudged=steps)) for steps in (1, 3))]


def _otherwise(built: Built, example: Example) -> Mapping[str, Array]:
    """What the component gives without fast arithmetic."""
    from .._component import load
    from .api import assembled

    ir = re.sub(r" reassoc nsz(?: arcp)?(?= )", "", built.ir)
    return _launched(load(assembled(built._replace(ir=ir)))[built.name])(dict(example.inputs))


def as_near(got: Array, want: Array, others: Sequence[Array], tolerance: float | None) -> bool:
    """Whether a result is as near to Taichi's as Taichi's own are to each other.

    Args:
        got: The component's.
        want: Taichi's.
        others: Taichi's with other rounding.
        tolerance: As for :func:`checked`.
    """
    rtol = tolerance_of(want.dtype) if tolerance is None else tolerance
    count, largest = _differences(got, want, rtol)
    found = [_differences(other, want, rtol) for other in others]
    return count <= 3 * max(one[0] for one in found) and largest <= 4 * max(one[1] for one in found)


def _differences(one: Array, other: Array, rtol: float) -> tuple[int, float]:
    """How many elements differ by more than a tolerance, and by how much at most."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(all="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        apart = np.where(np.isnan(apart), np.inf, apart)
        return int((apart > rtol * np.abs(b)).sum()), float(apart.max(initial=0.0))


def _returned(value: Any, result: Result) -> Array:
    path = result.path
    if isinstance(value, list | tuple):
        value = value[path[0]]
    for index in path[1:]:
        value = value[list(value.keys)[index]]
    plain = value.to_numpy() if hasattr(value, "to_numpy") else value
    return np.asarray(plain).astype(result.kind.numpy).reshape(result.shape)


def _nudged(array: Array, steps: int) -> Array:
    """The array with its numbers some steps of rounding nearer to 0."""
    if not steps or array.dtype.kind != "f":
        return array
    return np.asarray(array * array.dtype.type(1 - steps * np.finfo(array.dtype).epsneg))


def _number(value: Any, dtype: str) -> Any:
    return float(value) if dtype[0] == "f" else bool(value) if dtype == "bool" else int(value)


def _array(value: Any, parameter: Parameter) -> Array:
    plain = value.to_numpy() if hasattr(value, "to_numpy") else value.numpy() if hasattr(value, "numpy") else value
    return np.array(plain, dtype=numpy_of(parameter.dtype), order="C", copy=True)


def random_state() -> tuple[int, int, int, int]:
    """The state of the random numbers of Taichi's first thread, after it has drawn four."""
    from ._drawing import draw

    drawn = np.zeros(4, np.uint32)
    with configured(cpu_max_num_threads=1):
        draw(drawn)
    inverse = pow(1000000007, -1, 1 << 32)
    x, y, z, w = (int(one) * inverse % (1 << 32) for one in drawn)
    return x, y, z, w


def seeds_of(state: tuple[int, int, int, int]) -> dict[str, int]:
    """The seeds that make a state."""
    first = state[0] * pow(SEED_FACTOR, -1, 1 << 32) % (1 << 32)
    return dict(zip((name for name, _ in SEEDS), (first, *state[1:]), strict=True))
