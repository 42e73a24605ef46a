"""Taichi kernels as SPIR-V, which Taichi's own code generator for Vulkan writes.

A process has one Taichi program, for one architecture, and the author's has fields and kernels in it already. So the process is forked: in its
copy Taichi starts again, for Vulkan, the fields are placed anew under the same Python objects, and the kernels, with whatever they
refer to, are compiled as they are. What comes of it is read from files; the copy ends without a word, and the author's program does not notice.

Shaders are asked for a device with the least that Vulkan promises: numbers have 32 bits, memory is words, and atomic operations on floats
are loops. Taichi makes no difference between a GPU and a driver that runs on the processor.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from hotcell.errors import ImportRefused
from .compile import Instance, taichi_runtime
from .fields import Copy, Layout, Loop, layout_of, nodes_of
from .trees import parted, placed, trees_of

__all__ = ["VulkanKernel", "VulkanProgram", "VulkanRefused", "VulkanTask", "compiled"]

#: How long Taichi may take for a program, in seconds.
_MOST_SECONDS = 600.0
#: What of Taichi's configuration says what a kernel means.
_CONFIGURATION = (
    "default_fp", "default_ip", "fast_math", "opt_level", "advanced_optimization", "cfg_optimization", "short_circuit_operators",
    "real_matrix_scalarize", "force_scalarize_matrix", "flatten_if", "check_out_of_bound", "unrolling_limit",
)  # fmt: skip


#: In a copy the author's program, which ends there and is never destroyed: that would wait for its threads, which are not in the copy.
_kept: list[Any] = []


class VulkanTask(NamedTuple):
    """A shader, with the entry point ``main``."""

    spirv: bytes
    #: For each binding of group 0 the buffer: ``root 0``, ``array 1``, and ``temporaries``, ``arguments``, ``results``.
    buffers: dict[int, tuple[str, tuple[int, ...]]]
    #: The invocations of a workgroup, and of all.
    group: int
    total: int
    #: Whether it loops over what the invocations leave, so that fewer will do.
    is_loop: bool


class VulkanKernel(NamedTuple):
    """A kernel: its shaders in their order."""

    tasks: list[VulkanTask]
    #: The types of the structures of arguments and results, as Taichi says them, and their bytes.
    arguments: dict[str, Any]
    argument_bytes: int
    results: dict[str, Any]
    result_bytes: int


class VulkanProgram(NamedTuple):
    """What is compiled."""

    kernels: list[VulkanKernel]
    #: Where the fields lie, by their names: copies, whose blocks are the roots.
    fields: dict[str, tuple[Copy, ...]]
    #: The bytes of each root that fields lie in.
    roots: dict[int, int]


class VulkanRefused(Exception):
    """Taichi's own words of why it does not compile a kernel for Vulkan."""

    def __init__(self, kernel: int | None, words: str) -> None:
        super().__init__(words)
        #: Which kernel of the program it is; ``None`` for none in particular.
        self.kernel = kernel


def compiled(instances: Sequence[Instance], fields: Mapping[str, Layout], most_roots: int) -> VulkanProgram:
    """The shaders of kernels.

    Args:
        instances: The kernels, for their arguments.
        fields: The fields that are parameters, by their names.
        most_roots: How many roots the fields may be parted into.

    Raises:
        VulkanRefused: Taichi refuses a kernel; its words say why.
        ImportRefused: There is no Vulkan driver, or Taichi ends or hangs.
    """
    taichi_runtime().materialize()
    with tempfile.TemporaryDirectory(prefix="hotcell-taichi-") as folder:
        place = Path(folder)
        _in_a_copy(place, lambda: _write(place, instances, fields, most_roots))
        answer = json.loads((place / "answer.json").read_text())
        if "words" in answer:
            raise VulkanRefused(answer["kernel"], answer["words"])
        if "refused" in answer:
            raise ImportRefused(**answer["refused"])
        return _read(place, answer)


def _in_a_copy(place: Path, work: Callable[[], None]) -> None:
    """Do something in a copy of this process, which ends then."""
    with warnings.catch_warnings():
        # Python and others warn of threads that are not in the copy: Taichi's for the processor, which are idle, and others that it does without.
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        _be_the_copy(place, work)
    try:
        status = _waited_for(child)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    if not (place / "answer.json").exists():
        said = (place / "said").read_text(errors="replace").strip().split("\n")[-1][:300] if (place / "said").exists() else ""
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"
        advice = 'look whether ti.init(arch=ti.vulkan) works here; targets=("cpu",) does without'
        raise ImportRefused(f"Taichi ended with {how} when it compiled for Vulkan{': ' if said else ''}{said}", advice=advice)


def _waited_for(child: int) -> int:
    """How a copy ended."""
    began, pause = time.monotonic(), 0.001
    while True:
        try:
            ended, status = os.waitpid(child, os.WNOHANG)
        except ChildProcessError:
            # Something else in this process waits for all that end.
            return 0
        if ended:
            return status
        if time.monotonic() - began > _MOST_SECONDS:
            advice = 'targets=("cpu",) compiles it for the processor'
            raise ImportRefused(f"Taichi did not compile it for Vulkan in {_MOST_SECONDS:.0f} s", advice=advice)
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _be_the_copy(place: Path, work: Callable[[], None]) -> NoReturn:
    """In the copy: nothing of what it does is seen, and nothing that the process has left to do is done twice."""
    code = 1
    try:
        said = os.open(place / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for stream in (1, 2):
            os.dup2(said, stream)
        work()
        code = 0
    except BaseException:
        with contextlib.suppress(BaseException):
            os.write(2, traceback.format_exc().encode(errors="replace"))
    finally:
        os._exit(code)


def _write(place: Path, instances: Sequence[Instance], fields: Mapping[str, Layout], most_roots: int) -> None:
    """In the copy: compile everything, and leave files."""
    answer = _answer(place, instances, fields, most_roots)
    (place / "unfinished.json").write_text(json.dumps(answer))
    (place / "unfinished.json").rename(place / "answer.json")


def _answer(place: Path, instances: Sequence[Instance], fields: Mapping[str, Layout], most_roots: int) -> dict[str, Any]:
    import taichi as ti
    from taichi.lang.misc import init

    used = {copy.block for layout in fields.values() for copy in layout.copies}
    trees = parted(trees_of(), used, most_roots)
    _kept.append(taichi_runtime().prog)
    config = taichi_runtime().prog.config()
    settings = {name: getattr(config, name) for name in _CONFIGURATION if hasattr(config, name)}
    os.environ.pop("TI_ARCH", None)
    os.environ["TI_SKIP_VERSION_CHECK"] = "ON"
    try:
        init(arch=ti.vulkan, offline_cache=False, log_level=ti.ERROR, enable_fallback=False, **settings)
        has_driver = ti.lang.impl.current_cfg().arch == ti.vulkan
    except RuntimeError:
        has_driver = False
    if not has_driver:
        advice = 'install one (Mesa\'s lavapipe needs no GPU: apt-get install mesa-vulkan-drivers), or say targets=("cpu",)'
        return {"refused": {"reason": "there is no Vulkan driver here, for which Taichi compiles what runs on a GPU", "advice": advice}}
    roots = placed(trees)
    runtime = ti.lang.impl.get_runtime()
    runtime.materialize()
    builder = runtime.prog.make_aot_module_builder(ti.vulkan, [])
    for index, instance in enumerate(instances):
        try:
            key = instance.kernel.ensure_compiled(*instance.arguments)
            builder.add(f"k{index}", instance.kernel.compiled_kernels[key])
        except Exception as error:
            return {"kernel": index, "words": str(error)}
    builder.dump(str(place), "")
    nodes = nodes_of()
    found: dict[str, Any] = {}
    for name, given in fields.items():
        layout = layout_of(given.field)
        if isinstance(layout, str):
            return {"kernel": None, "words": f"`{name}` is {layout}"}
        found[name] = []
        for copy in layout.copies:
            block = nodes.by_id[copy.block]
            root, offset = nodes.tree_of[copy.block], copy.offset + int(block.offset_bytes_in_parent_cell)
            found[name].append([root, copy.array, offset, copy.loops, copy.chunk])
    return {"fields": found, "roots": {nodes.tree_of[root.id]: int(root.cell_size_bytes) for root in roots}}


def _read(place: Path, answer: Mapping[str, Any]) -> VulkanProgram:
    metadata = json.loads((place / "metadata.json").read_text())
    kernels = {kernel["name"]: kernel for kernel in metadata["kernels"]}
    fields = {
        name: tuple(
            Copy(root, array, offset, tuple(Loop(*loop) for loop in loops), chunk) for root, array, offset, loops, chunk in copies
        )
        for name, copies in answer["fields"].items()
    }
    roots = {int(root): size for root, size in answer["roots"].items()}
    return VulkanProgram([_kernel(place, kernels[f"k{index}"]) for index in range(len(kernels))], fields, roots)


def _kernel(place: Path, said: Mapping[str, Any]) -> VulkanKernel:
    attributes = said["ctx_attribs"]
    tasks = [_task(place, task) for task in said["tasks_attribs"]]
    return VulkanKernel(tasks, attributes["args_type_"], attributes["args_bytes_"], attributes["rets_type_"], attributes["rets_bytes_"])


#: What Taichi's numbers for buffers mean.
_BUFFERS = {0: "root", 1: "temporaries", 2: "arguments", 3: "results", 5: "array"}
#: And those for tasks.
_SERIAL, _RANGE_FOR = 0, 1


def _task(place: Path, said: Mapping[str, Any]) -> VulkanTask:
    if said["task_type"] not in (_SERIAL, _RANGE_FOR) or said["texture_binds"]:
        raise ImportRefused("Taichi makes a loop of it that is none over a range", advice="loop over a dense field, an array or a range")
    buffers: dict[int, tuple[str, tuple[int, ...]]] = {}
    for bind in said["buffer_binds"]:
        kind = _BUFFERS.get(bind["buffer"]["type"])
        if kind is None:
            raise ImportRefused("Taichi takes a buffer for it that is none of arguments, fields and arrays")
        path = tuple(int(part) for part in bind["buffer"]["root_id"]) if kind in ("root", "array") else ()
        buffers[int(bind["binding"])] = (kind, path)
    spirv = (place / f"{said['name']}.spv").read_bytes()
    group, total = int(said["advisory_num_threads_per_group"]), int(said["advisory_total_num_threads"])
    return VulkanTask(spirv, buffers, group, total, said["task_type"] == _RANGE_FOR)
