"""The corners of Taichi's language: what components give is what Taichi gives, or Taichi's kernel is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import needed

from hotcell.errors import ImportRefused
from test_import_taichi import imported, k  # noqa: F401

#: Taichi warns of what it uses itself.
pytestmark = pytest.mark.filterwarnings("ignore")

NAMES = (
    "arithmetic_i32 arithmetic_i64 arithmetic_u64 arithmetic_small rounding no_numbers powers inverses decompositions eigenvalues vectors "
    "bits atomics other_atomics flow functions scalars shapes reductions halves drawn texts beside apart"
).split()


@pytest.fixture(scope="module")
def ti() -> Any:
    """Taichi, which compiles in the thread that asks for it: nothing is compiled twice."""
    needed("taichi")
    needed("llvmlite")
    import taichi

    how = {"num_compile_threads": 0, "cpu_max_num_threads": 1, "offline_cache": False, "random_seed": 3}
    taichi.init(arch=taichi.cpu, log_level=taichi.ERROR, **how)
    return taichi


@pytest.fixture(scope="module")
def odd(ti: Any) -> Any:
    import taichi_odd_kernels

    return taichi_odd_kernels


@pytest.mark.parametrize("name", NAMES)
def test_gives_what_taichi_gives(imported: Any, odd: Any, name: str) -> None:  # noqa: F811
    # The comparison is part of the import.
    kernel, arguments = odd.CASES[name]
    assert name in imported(kernel, arguments=arguments).entries


def test_all_kernels_are_named(odd: Any) -> None:
    assert set(NAMES) == odd.CASES.keys()


def test_fields_of_every_layout(imported: Any, odd: Any) -> None:  # noqa: F811
    layouts = odd.Layouts()
    assert "step" in imported(layouts.step).entries


#: What a process says that begins Taichi in another way, which one process can do once.
_OTHERWISE = """
import sys
sys.path.insert(0, {folder!r})
import taichi as ti
ti.init(arch=ti.cpu, cpu_max_num_threads=1, offline_cache=False, log_level=ti.ERROR, {how})
import hotcell.taichi
import taichi_odd_kernels
for name in {names!r}:
    kernel, arguments = taichi_odd_kernels.CASES[name]
    hotcell.taichi.kernel(kernel, arguments=arguments)
print("all right")
"""


@pytest.mark.parametrize(
    ("how", "names"),
    [
        ("default_ip=ti.i64, default_fp=ti.f64", ["arithmetic_i32", "rounding", "powers", "flow", "reductions", "halves"]),
        ("debug=True", ["arithmetic_i64", "arithmetic_small", "inverses", "texts"]),
    ],
)
def test_however_taichi_was_begun(how: str, names: list[str]) -> None:
    needed("taichi")
    needed("llvmlite")
    script = _OTHERWISE.format(folder=str(Path(__file__).parent), how=how, names=names)
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, errors="replace", env=os.environ)
    assert ended.stdout.strip().endswith("all right"), ended.stderr[-2000:]


def test_names_of_the_runtime_are_refused(imported: Any, k: Any) -> None:  # noqa: F811
    with pytest.raises(ImportRefused, match="`exp_f32` is a function of the runtime"):
        imported(k.mathy, name="exp_f32")


def test_a_kernel_may_have_the_name_of_a_type(imported: Any, odd: Any) -> None:  # noqa: F811
    kernel, arguments = odd.CASES["halves"]
    assert "half" in imported(kernel, name="half", arguments=arguments).entries


def test_what_reaches_far_outside_of_an_example_is_refused_before_taichi_runs_it(imported: Any, odd: Any) -> None:  # noqa: F811
    with pytest.raises(ImportRefused, match="on an example with 16 elements a dimension"):
        imported(odd.far)
    x = np.zeros(64_000, np.float32)
    assert imported(odd.far, arguments={"x": x[:64], "far": x}).far(np.ones(2, "f4"), x)[4_000] == 1
