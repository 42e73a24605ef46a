"""Where what a guarded process is made of is: the interpreter, its packages, and this one. Imports nothing else of the package."""

from __future__ import annotations

import glob
import importlib.util
import json
import os
import sys
import sysconfig

#: What makes an interpreter a guarded process: the native half and this package's inside, each by its file.
BOOT = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
def load(name, path):
    spec = spec_from_file_location(name, path)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
native = load("hotcell._native", sys.argv[1])
load("hotcell._guarded", sys.argv[2]).main(native, load)
"""

#: What an interpreter is started with: nothing of the environment's, nothing of the user's, no ``site`` before the walls are up.
FLAGS = ("-I", "-S", "-B", "-X", "utf8")

PACKAGE = os.path.dirname(os.path.abspath(__file__))

#: What of the environment a guarded process has, too.
_ENVIRONMENT = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")

#: What counts threads of libraries.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def arguments(native: str) -> list[str]:
    """What an interpreter is started with to become a guarded process."""
    return [*FLAGS, "-c", BOOT, native, os.path.join(PACKAGE, "_guarded.py")]


def visible() -> list[str]:
    """What every guarded process may read: the interpreter and its packages."""
    prefixes = {os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)}
    paths = {PACKAGE, *prefixes, sys.prefix, *sysconfig.get_paths().values()}
    # What reads a function's pickle there, wherever it was put.
    pickler = importlib.util.find_spec("cloudpickle")
    if pickler is not None and pickler.origin is not None:
        paths.add(os.path.dirname(pickler.origin))
    for path in sys.path:
        name = os.path.basename(path)
        if name in ("site-packages", "dist-packages") or path.endswith(".zip"):
            paths.add(path)
    # The whole machine, or somebody's home, is no interpreter's.
    forbidden = {"/", os.path.expanduser("~")}
    return sorted(path for path in paths if os.path.isabs(path) and path not in forbidden and os.path.exists(path))


def environment(profiles: tuple[str, ...], threads: object) -> dict[str, str]:
    """The variables that a guarded process has besides those of its folder."""
    found = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    if isinstance(threads, int):
        found.update(dict.fromkeys(_THREADS, str(max(1, min(threads, os.cpu_count() or 1)))))
    if "taichi" in profiles:
        # It would ask a server, of which there is none here.
        found["TI_SKIP_VERSION_CHECK"] = "ON"
    if "jax" in profiles:
        found["JAX_PLATFORMS"] = "cpu"
    return found


def setup(imports: list[str], profiles: tuple[str, ...], variables: dict[str, str]) -> dict[str, object]:
    """What a guarded interpreter does behind its walls."""
    return {
        "path": [path for path in sys.path if path],
        "imports": imports,
        "environment": variables,
        "package": PACKAGE,
        "watch": any(name in profiles for name in ("jax", "taichi")),
    }


def told() -> str:
    """All of it for another program that starts an interpreter like this one."""
    native = sorted(glob.glob(os.path.join(PACKAGE, "_native*.so")))
    return json.dumps(
        {
            "executable": sys.executable,
            "arguments": arguments(native[0]) if native else [],
            "read": visible(),
            "environment": environment(("jax", "taichi"), None),
            "setup": setup([], ("jax", "taichi"), {}),
        }
    )
