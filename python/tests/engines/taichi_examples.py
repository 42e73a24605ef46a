"""Taichi's own examples, guarded and unguarded: a guard that refuses what an example needs is a difference.

``taichi_examples.py [PART ...]`` plays those whose path has one of the parts, or all. Windows and videos are stood in for, and a
window ends its example after a few frames. Exits with 1 where an example fares differently in a guarded process, or where a
system call was refused in one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Frames that a window shows before its example is ended.
FRAMES = 2
#: Seconds after which an example that goes on is ended, which is as good as a window's end.
PLAYED = 12.0
#: Seconds after which a process that is still there is killed.
KILLED = 40.0
#: Examples that die now and then, whoever runs them, and why.
BROKEN = {"simulation/eulerfluid2d.py": "it reads at (-1, 0) of its fields"}
#: What begins the line that a process of its own says its end in.
SAID = "@@ended "


class Ended(BaseException):
    """A window has shown its frames."""


class Anything:
    """Stands in for what needs a display: it has every attribute, and can be called."""

    PRESS, RELEASE, MOTION, EXIT = "press", "release", "motion", "exit"
    ESCAPE, SPACE, LMB, RMB, UP, DOWN, LEFT, RIGHT = "Escape", " ", "LMB", "RMB", "Up", "Down", "Left", "Right"

    def __init__(self, *_, **__):
        pass

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __call__(self, *_, **__):
        return Anything()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def __iter__(self):
        return iter(())

    def __bool__(self):
        return False

    def __getitem__(self, _):
        return Anything()

    def __float__(self):
        return 0.0

    def __int__(self):
        return 0

    def __add__(self, other):
        return other

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __add__


class Colours(Anything):
    """Stands in for Matplotlib's colour maps: all is black."""

    def __getattr__(self, name):
        return Colours() if not name.startswith("__") else super().__getattr__(name)

    def __call__(self, values=None, **_):
        import numpy

        return Colours() if values is None or isinstance(values, str) else numpy.zeros((*numpy.shape(values), 4))


class Value:
    """Stands in for a slider."""

    def __init__(self, value):
        self.value = value


class Window(Anything):
    """Stands in for ``ti.GUI`` and ``ti.ui.Window``."""

    def __init__(self, *_, **__):
        self.running, self.frame, self.fps_limit, self.event = True, 0, 0, None

    def show(self, *_, **__):
        self.frame += 1
        if self.frame >= FRAMES:
            raise Ended

    def set_image(self, image):
        import numpy

        numpy.asarray(image.to_numpy() if hasattr(image, "to_numpy") else image)

    def get_events(self, *_, **__):
        return []

    def get_event(self, *_, **__):
        return False

    is_pressed = button = get_key_event = get_event

    def get_cursor_pos(self):
        return 0.3, 0.4

    def get_window_shape(self):
        return 640, 480

    def slider(self, _, minimum=0, *__, **___):
        return Value(minimum)

    def slider_float(self, _, old, *__, **___):
        return old

    slider_int = checkbox = color_edit_3 = slider_float

    def get_gui(self):
        return self

    def sub_window(self, *_, **__):
        return self


def play(path, tells=False):
    """Play an example, and say how it ended. ``tells``: end with an exception, whose report names what was refused."""
    import _thread
    import runpy
    import sys
    import threading
    import types

    import taichi as ti

    init = ti.init

    def init_on_cpu(*_, **options):
        options.pop("device_memory_GB", None)
        return init(**{**options, "arch": ti.cpu})

    ti.init = init_on_cpu
    ti.GUI = ti.ui.Window = ti.ui.Gui = Window
    ti.ui.Scene = ti.ui.Camera = ti.ui.make_camera = Anything
    ti.tools.VideoManager = Anything
    ti.tools.imshow = lambda *_, **__: None
    for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.cm", "mpl_toolkits", "mpl_toolkits.mplot3d"):
        module = types.ModuleType(name)
        module.__getattr__ = (Colours() if name == "matplotlib.cm" else Anything()).__getattr__
        module.__path__ = []
        sys.modules[name] = module
        if "." in name:
            setattr(sys.modules[name.partition(".")[0]], name.partition(".")[2], module)

    sys.argv[:] = [path]
    sys.path.insert(0, path.rpartition("/")[0])
    timer = threading.Timer(PLAYED, _thread.interrupt_main)
    timer.daemon = True
    timer.start()
    try:
        runpy.run_path(path, run_name="__main__")
        ended = "works"
    except Ended:
        ended = "works"
    except KeyboardInterrupt:
        ended = "works, as long as it may"
    except SystemExit as exit:
        ended = f"exits: {exit.code!r}"
    except Exception as error:
        ended = f"fails: {type(error).__name__}: {error}"[:600]
    finally:
        timer.cancel()
    if tells:
        raise PermissionError(1, "to be told")
    return ended


def unguarded(path):
    """How an example ends in a process of its own."""
    command = [sys.executable, os.path.abspath(__file__), "--alone", path]
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=KILLED, stdin=subprocess.DEVNULL, cwd=folder)
        except subprocess.TimeoutExpired:
            return "killed: time"
    for line in reversed(done.stdout.splitlines()):
        if line.startswith(SAID):
            return json.loads(line.removeprefix(SAID))
    return f"dies: {signal.Signals(-done.returncode).name if done.returncode < 0 else done.returncode}: {done.stderr[-300:]}"


def guarded(path, tells=False):
    """How it ends in a guarded process, and how many system calls were refused in it."""
    import hotcell

    limits = {"timeout": KILLED, "cpu_time": 4 * KILLED, "memory": "4GiB", "threads": 256}
    with hotcell.guarded(imports=["taichi"], spare=False, **limits) as process:
        try:
            ended = process.run(play, path, tells)
        except hotcell.Error as error:
            refused = ((error.report or {}).get("usage", {}).get("process") or {}).get("refused_calls", -1)
            died = re.search(r"died by (SIG\w+)", str(error)) if isinstance(error, hotcell.Trap) else None
            return f"dies: {died[1]}: {error}" if died else f"fails: {type(error).__name__}: {error}"[:800], refused
    return ended.value, ended.report["usage"]["process"]["refused_calls"]


def kind(ended):
    """What of an end is compared: addresses and times in its words differ."""
    what, *words = ended.split(":")
    return what.partition(",")[0], words[0] if words else ""


def main(parts):
    import taichi

    folder = Path(taichi.__file__).parent / "examples"
    counts = {"works in both": 0, "fails in both": 0, "differs": 0}
    differences = []
    for path in sorted(folder.rglob("*.py")):
        name = str(path.relative_to(folder))
        if path.name == "__init__.py" or (parts and not any(part in name for part in parts)):
            continue
        if name in BROKEN and not parts:
            print(f"{name}: left out, since {BROKEN[name]}")
            continue
        began = time.monotonic()
        alone = unguarded(str(path))
        middle = time.monotonic()
        walled, refused = guarded(str(path))
        times = f"{middle - began:.1f} s, {time.monotonic() - middle:.1f} s"
        same = "works in both" if alone.startswith("works") else "fails in both"
        what = same if kind(alone) == kind(walled) else "differs"
        counts[what] += 1
        print(f"{name}: {what}, {refused} refused ({times})", flush=True)
        if what == "fails in both":
            print(f"    {alone}", flush=True)
        if what == "differs":
            print(f"    unguarded: {alone}\n    guarded: {walled}", flush=True)
        if refused:
            print(f"    {guarded(str(path), True)[0]}", flush=True)
        if what == "differs" or refused:
            differences.append(name)
    counted = ", ".join(f"{count} {what}" for what, count in counts.items())
    print(f"{counted}; differences or refused calls: {differences or 'none'}")
    return 1 if differences else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        ended = play(sys.argv[2])
        print("\n" + SAID + json.dumps(ended), flush=True)
        os._exit(0)
    sys.exit(main(sys.argv[1:]))
