"""Taichi's own examples, run without a window: every kernel that they launch is imported and compared with Taichi's own result.

``python taichi_examples.py`` runs all of them and prints the table of ``docs/importing-taichi.md``, which ``--write`` puts there;
``--one FILE`` runs one, and prints what became of its kernels as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import types
from pathlib import Path
from typing import Any

#: What is run of an example: frames that it shows, and seconds.
FRAMES, SECONDS = 3, 30.0
#: Which launches of a kernel are compared, counted from 1.
COMPARED = (1, 3)
#: The longest that an example takes, with importing.
TIMEOUT = 420.0
#: What Taichi says of an index that is outside of a field.
OUTSIDE = "Accessing field"


class _Stop(SystemExit):
    """The example has shown enough."""


class _Anything:
    """What a user interface has, and does nothing: calls give another one, and a slider its value."""

    frames = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.value = kwargs.get("value", 0.5)
        self.res = next((argument for argument in args if isinstance(argument, tuple)), kwargs.get("res", (512, 512)))
        self.key, self.type, self.frame, self.running = "", 0, 0, True
        self.event: Any = None
        self.delta, self.pos = (0, 0), (0.5, 0.5)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()

    def __getitem__(self, _: Any) -> _Anything:
        return self

    def __iter__(self) -> Any:
        return iter(())

    def __enter__(self) -> _Anything:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, *args: Any, **_: Any) -> Any:
        # A map of colours, called with an array.
        return self.to_rgba(args[0]) if args and hasattr(args[0], "shape") else self

    def to_rgba(self, array: Any) -> Any:
        import numpy as np

        return np.zeros((*array.shape, 4))

    def get_event(self, *_: Any, **__: Any) -> bool:
        return False

    def get_events(self, *_: Any, **__: Any) -> list[Any]:
        return []

    is_pressed = has_key_event = get_event

    def get_cursor_pos(self) -> tuple[float, float]:
        return 0.5, 0.5

    def __add__(self, other: Any) -> Any:
        return other

    __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = __add__

    def get_window_shape(self) -> tuple[int, int]:
        return 512, 512

    def slider(self, *_: Any, **kwargs: Any) -> _Anything:
        return _Anything(value=kwargs.get("value", 0.5))

    def slider_float(self, _: str, old: float, *__: Any, **___: Any) -> float:
        return old

    slider_int = checkbox = slider_float

    def color_edit_3(self, _: str, old: Any) -> Any:
        return old

    def button(self, *_: Any, **__: Any) -> Any:
        return False

    def show(self, *_: Any, **__: Any) -> None:
        _Anything.frames += 1
        if _Anything.frames >= FRAMES:
            raise _Stop


class _Plots(types.ModuleType):
    """What stands for a module that draws: whatever is asked of it does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()


def _graphs(ti: Any) -> None:
    """Have graphs launch their kernels one by one, where each can be seen."""
    from taichi.graph import _graph

    class Sequence:
        def __init__(self) -> None:
            self.steps: list[tuple[Any, tuple[Any, ...]]] = []

        def dispatch(self, kernel: Any, *arguments: Any) -> None:
            self.steps.append((kernel, arguments))

        def append(self, other: Sequence) -> None:
            self.steps += other.steps

    class Builder(Sequence):
        def create_sequential(self) -> Sequence:
            return Sequence()

        def compile(self) -> Builder:
            return self

        def run(self, given: dict[str, Any]) -> None:
            for kernel, arguments in self.steps:
                kernel(*(given[one.name] if hasattr(one, "name") and hasattr(one, "dtype") else one for one in arguments))

    ti.graph.GraphBuilder = _graph.GraphBuilder = Builder


class _Watch:
    """Imports what is launched, and notes what becomes of it."""

    def __init__(self) -> None:
        self.outcomes: dict[Any, dict[str, Any]] = {}
        self._held: list[Any] = []
        self._inside = False
        self._begun: float | None = None

    def launch(self, kernel: Any, compiled: Any, arguments: tuple[Any, ...], original: Any) -> Any:
        if self._inside or kernel.func.__module__.startswith("taichi.") and ".examples." not in kernel.func.__module__:
            return original(kernel, compiled, *arguments)
        begun = time.monotonic()
        if self._begun is None:
            self._begun = begun
        if begun - self._begun > SECONDS:
            raise _Stop
        self._inside = True
        try:
            self._look(kernel, compiled, arguments)
        finally:
            self._inside = False
            self._begun += time.monotonic() - begun
        return original(kernel, compiled, *arguments)

    def _look(self, kernel: Any, compiled: Any, arguments: tuple[Any, ...]) -> None:
        from hotcell.errors import ImportRefused

        key = id(compiled)
        outcome = self.outcomes.get(key)
        if outcome is None:
            self._held.append(compiled)
            name = kernel.func.__name__ + (".grad" if "REVERSE" in str(kernel.autodiff_mode) else "")
            outcome = self.outcomes[key] = {"kernel": name, "launches": 0, "outcome": "right", "why": ""}
            try:
                outcome["made"] = _imported(kernel, arguments)
            except ImportRefused as refusal:
                outcome.update(outcome="refused", why=_short(refusal))
        outcome["launches"] += 1
        if "made" in outcome and outcome["launches"] in COMPARED:
            wrong = _compared(outcome["made"], kernel, arguments)
            if wrong is not None:
                outcome.update(outcome="wrong" if "something else than Taichi" in wrong else "refused", why=wrong)
                outcome.pop("made")


def _short(refusal: Any) -> str:
    what = " ".join(part for part in (refusal.operation, refusal.dtype) if part)
    return f"{what}: {refusal.reason}" if what else refusal.reason


def _imported(kernel: Any, arguments: tuple[Any, ...]) -> Any:
    from hotcell.taichi import api
    from hotcell.taichi.build import Call, build
    from hotcell.taichi.compile import instance_of

    call = Call(instance_of(kernel, None, arguments), {})
    built = build([call], "kernel", None, None)
    return built, built.calls[0], api._loaded(api.assembled(built))


def _compared(made: Any, kernel: Any, arguments: tuple[Any, ...]) -> str | None:
    from hotcell.errors import ImportRefused
    from hotcell.taichi.check import checked
    from hotcell.taichi.compile import untaped

    built, call, component = made
    call = call._replace(instance=call.instance._replace(arguments=arguments))
    given = {argument.name: value for argument, value in zip(kernel.arguments, arguments, strict=True)}
    try:
        with untaped():
            checked(built, [call], component[built.name], given, None)
    except ImportRefused as refusal:
        return str(refusal.reason)
    return None


def run_one(file: Path, *, checked: bool = False) -> dict[str, Any]:
    """Run an example, and say what became of its kernels; ``checked`` runs it alone, with Taichi's checks of indices."""
    import taichi as ti
    from taichi.lang.kernel_impl import Kernel

    watch = _Watch()
    original, initialise = Kernel.launch_kernel, ti.init
    outside: dict[str, str] = {}

    def checked_launch(kernel: Any, compiled: Any, *arguments: Any) -> Any:
        try:
            return original(kernel, compiled, *arguments)
        except ti.TaichiAssertionError as error:
            if OUTSIDE not in str(error):
                raise
            name = kernel.func.__name__
            if name not in outside:
                outside[name] = next(line for line in str(error).splitlines() if OUTSIDE in line)
                # Said at once: an example that goes on like this may not come to its end.
                print(json.dumps({"file": file.name, "ended": "", "kernels": [], "outside": outside}), flush=True)
            return None

    def watched_launch(kernel: Any, compiled: Any, *arguments: Any) -> Any:
        return watch.launch(kernel, compiled, arguments, original)

    Kernel.launch_kernel = checked_launch if checked else watched_launch

    def init(*_: Any, **settings: Any) -> None:
        settings.pop("arch", None)
        names = ("default_fp", "default_ip", "debug", "random_seed", "fast_math")
        kept = {name: value for name, value in settings.items() if name in names}
        if checked:
            kept["debug"] = True
        initialise(arch=ti.cpu, offline_cache=False, cpu_max_num_threads=1, log_level=ti.ERROR, **kept)

    ti.init = init
    ti.GUI = ti.ui.Window = ti.ui.Scene = ti.ui.Camera = _Gui
    for name in ("make_camera", "VideoManager"):
        if hasattr(ti.ui, name):
            setattr(ti.ui, name, _Anything)
    ti.tools.VideoManager = _Anything
    for name in (
        "matplotlib",
        "matplotlib.pyplot",
        "matplotlib.cm",
        "matplotlib.animation",
        "matplotlib.colors",
        "mpl_toolkits",
        "mpl_toolkits.mplot3d",
    ):
        module = sys.modules[name] = _Plots(name)
        package, _, inner = name.rpartition(".")
        if package:
            setattr(sys.modules[package], inner, module)
    _graphs(ti)
    sys.path.insert(0, str(file.parent))
    sys.argv = [str(file)]
    ended = "ended"
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.alarm(int(TIMEOUT) - 30)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            runpy.run_path(str(file), run_name="__main__")
        except _Stop:
            ended = "stopped"
        except SystemExit:
            pass
        except BaseException as error:
            ended = f"{type(error).__name__}: {str(error).strip().splitlines()[-1] if str(error).strip() else ''}"
            traceback.print_exc(file=sys.stderr)
        os.chdir("/")
    signal.alarm(0)
    kernels = [{name: value for name, value in outcome.items() if name != "made"} for outcome in watch.outcomes.values()]
    return {"file": file.name, "ended": ended, "kernels": kernels, "outside": outside}


def _out_of_time(*_: Any) -> None:
    raise _Stop


class _Gui(_Anything):
    """A window; its class has the names of keys and events."""

    ESCAPE = EXIT = SPACE = LMB = RMB = UP = DOWN = LEFT = RIGHT = SHIFT = CTRL = ALT = RETURN = TAB = BACKSPACE = "key"
    PRESS = RELEASE = MOTION = MOVE = WHEEL = "event"


def example_files() -> list[Path]:
    """The files of Taichi's examples."""
    import importlib.util

    spec = importlib.util.find_spec("taichi")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "examples"
    return sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")


def run_apart(file: Path) -> dict[str, Any]:
    """Run an example in a process of its own.

    Where a kernel differs, the example runs once more with Taichi's own checks: what a kernel gives that reads outside of its fields is
    whatever lies there, and nobody's to compare. That is ``undefined``; all other kernels of the example are held to what they give.
    """
    found = _run_apart(file)
    wrong = [one for one in found["kernels"] if one["outcome"] == "wrong"]
    if wrong:
        outside = _run_apart(file, "--checked").get("outside", {})
        for one in wrong:
            why = outside.get(one["kernel"].removesuffix(".grad"))
            if why is not None:
                one.update(outcome="undefined", why=why)
    return found


def _run_apart(file: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", str(file), *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return {"file": file.name, "ended": "no end", "kernels": []}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"file": file.name, "ended": f"ended with {done.returncode}: {last[:200]}", "kernels": []}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def verdict(found: dict[str, Any]) -> tuple[str, str]:
    """What became of an example: ``right``, ``refused``, ``wrong``, ``undefined`` or ``-``, and why."""
    kernels = found["kernels"]
    if not kernels:
        return "-", "launches no kernel" if found["ended"] in ("ended", "stopped") else found["ended"]
    for outcome in ("wrong", "refused", "undefined"):
        reasons = dict.fromkeys(f"`{one['kernel']}`: {one['why']}" for one in kernels if one["outcome"] == outcome)
        if reasons:
            return outcome, next(iter(reasons)) + (f", and {len(reasons) - 1} more" if len(reasons) > 1 else "")
    return "right", "" if found["ended"] in ("ended", "stopped") else f"as far as it went: {found['ended']}"


def table(results: list[tuple[str, dict[str, Any]]]) -> str:
    """The table of all examples, as Markdown."""
    rows = []
    counts = {"right": 0, "refused": 0, "wrong": 0, "undefined": 0, "-": 0}
    for name, found in results:
        outcome, why = verdict(found)
        counts[outcome] += 1
        right = sum(one["outcome"] == "right" for one in found["kernels"])
        rows.append(f"| {name} | {right} of {len(found['kernels'])} | {outcome} | {why.replace('|', '/')[:160]} |")
    said = f"{counts['right']} right, {counts['refused']} refused, {counts['wrong']} wrong, {counts['undefined']} undefined; {counts['-']} launch no kernel here."
    return "\n".join([said, "", "| file | kernels | | why |", "|---|---|---|---|", *rows])


def write(text: str) -> None:
    """Put the table into the documentation."""
    page = Path(__file__).parents[2] / "docs/importing-taichi.md"
    begin, end = "<!-- examples begin -->", "<!-- examples end -->"
    before, _, rest = page.read_text().partition(begin)
    page.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--one", type=Path, help="run this example here")
    parser.add_argument("--checked", action="store_true", help="with Taichi's checks of indices, and alone")
    parser.add_argument("--write", action="store_true", help="put the table into docs/importing-taichi.md")
    chosen = parser.parse_args()
    if chosen.one is not None:
        print(json.dumps(run_one(chosen.one, checked=chosen.checked)))
        return
    folder = next(path for path in example_files()[0].parents if path.name == "examples")
    results = [(str(file.relative_to(folder)), run_apart(file)) for file in example_files()]
    text = table(results)
    print(text)
    if chosen.write:
        write(text)


if __name__ == "__main__":
    main()
