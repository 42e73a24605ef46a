"""A Taichi kernel as the LLVM IR that Taichi's code generator writes for it, before it is optimised for this machine.

Taichi prints it where its configuration says so, into the working directory, which :mod:`.directory` changes. The kernel is the instance that
Taichi itself would launch for the same arguments: methods, templates and structures need nothing of their own. It is compiled for one thread.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hotcell.errors import ImportRefused
from .directory import run_in

__all__ = ["Instance", "Task", "configured", "instance_of", "taichi_runtime", "tasks_of"]

_TASK = re.compile(r"^define void @([\w.$]+?_kernel_(\d+)_[\w.$]+)\(", re.MULTILINE)
_lock = threading.RLock()
#: How often a kernel is compiled until all of its code is printed.
_MOST_TRIES = 30
#: Makes each compilation one that Taichi has not in its caches.
_nonce = itertools.count(1 << 20)


class Task(NamedTuple):
    """One of the functions that a kernel runs one after the other."""

    #: The function's name.
    name: str
    #: Its module, as LLVM 15 writes it.
    text: str


class Instance(NamedTuple):
    """A kernel for arguments of certain types, as Taichi compiles it."""

    #: Taichi's own ``Kernel``.
    kernel: Any
    #: The object whose method it is; ``None`` for a function.
    owner: Any
    #: The arguments, that object first where there is one.
    arguments: tuple[Any, ...]
    #: The kernel in Taichi's C++.
    compiled: Any


def taichi_runtime() -> Any:
    """Taichi's runtime, initialised for the processor.

    Raises:
        ImportRefused: Taichi is not initialised, or for a GPU.
    """
    import taichi
    from taichi.lang import impl

    runtime = impl.get_runtime()
    if runtime.prog is None:
        raise ImportRefused("Taichi is not initialised", advice="call ti.init(arch=ti.cpu) first")
    arch = runtime.prog.config().arch
    if arch not in (taichi.x64, taichi.arm64):
        name = str(arch).rpartition(".")[2]
        raise ImportRefused(f"Taichi is initialised for {name}", advice="import from a program with ti.init(arch=ti.cpu)")
    return runtime


@contextlib.contextmanager
def configured(**settings: Any) -> Iterator[Any]:
    """Taichi's configuration, changed for a while."""
    config = taichi_runtime().prog.config()
    before = {name: getattr(config, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(config, name, value)
        yield config
    finally:
        for name, value in before.items():
            setattr(config, name, value)


@contextlib.contextmanager
def untaped() -> Iterator[None]:
    """Launches that Taichi's automatic differentiation does not record."""
    runtime = taichi_runtime()
    before = runtime.target_tape, runtime.fwd_mode_manager
    runtime.target_tape = runtime.fwd_mode_manager = None
    try:
        yield
    finally:
        runtime.target_tape, runtime.fwd_mode_manager = before


def instance_of(kernel: Any, owner: Any, arguments: Sequence[Any]) -> Instance:
    """The instance of a kernel for arguments.

    Args:
        kernel: Taichi's own ``Kernel``.
        owner: The object whose method it is; ``None`` for a function.
        arguments: What it is called with, without the owner.
    """
    taichi_runtime().materialize()
    given = tuple(arguments) if owner is None else (owner, *arguments)
    # One that Taichi has compiled before it would take from its cache, and print nothing.
    before = dict(kernel.compiled_kernels)
    kernel.compiled_kernels.clear()
    try:
        key = kernel.ensure_compiled(*given)
        return Instance(kernel, owner, given, kernel.compiled_kernels[key])
    finally:
        kernel.compiled_kernels.clear()
        kernel.compiled_kernels.update(before)


def tasks_of(instance: Instance) -> tuple[Instance, list[Task]]:
    """What a kernel runs, in its order, and the instance that it is of, which is compiled for one thread."""
    with _lock, _quiet():
        for _ in range(_MOST_TRIES):
            tasks, names = _printed(instance.compiled)
            # Taichi's compiling threads count their files without a lock, so that one may overwrite another's.
            if {task.name for task in tasks} == names:
                return instance, tasks
            instance = instance_of(instance.kernel, None, instance.arguments)
    raise ImportRefused("Taichi did not print all of the kernel's code", advice="say ti.init(num_compile_threads=1)")


def _printed(compiled: Any) -> tuple[list[Task], set[str]]:
    """The tasks that Taichi printed, and the names of those that there are."""
    program = taichi_runtime().prog
    settings = {
        "print_kernel_llvm_ir": True,
        "print_kernel_llvm_ir_optimized": True,
        "offline_cache": False,
        "cpu_max_num_threads": 1,
        "kernel_profiler": False,
        "random_seed": next(_nonce),
    }
    with tempfile.TemporaryDirectory(prefix="hotcell-taichi-") as folder, configured(**settings) as config:
        # Taichi's own threads print, and have the process's directory, where it has any.
        run_in(
            folder,
            lambda: program.compile_kernel(config, program.get_device_caps(), compiled),
            alone=config.num_compile_threads == 0,
        )
        texts = [path.read_text() for path in Path(folder).glob("*generic*.ll")]
        names = {found[1] for path in Path(folder).glob("*optimized*.ll") for found in _TASK.finditer(path.read_text())}
    tasks = {int(found[2]): Task(found[1], text) for text in texts for found in [_TASK.search(text)] if found}
    return [task for _, task in sorted(tasks.items())], names


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No word of Taichi's about the files that it writes."""
    from taichi import _logging

    levels = (_logging.TRACE, _logging.DEBUG, _logging.INFO)
    level = next((level for level in levels if _logging.is_logging_effective(level)), None)
    if level is None:
        yield
        return
    _logging.set_logging_level(_logging.WARN)
    try:
        yield
    finally:
        _logging.set_logging_level(level)
