"""Taichi's own examples: their kernels give what Taichi's do, or are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import needed

import taichi_examples

#: Those that are run where not all are: short, and of each kind.
SOME = ("laplace.py", "minimization.py", "mpm88.py", "taichi_sparse.py", "fractal.py", "nbody.py")


def _files() -> list[Path]:
    needed("taichi")
    needed("llvmlite")
    files = taichi_examples.example_files()
    return files if os.environ.get("HOTCELL_ALL_EXAMPLES") else [file for file in files if file.name in SOME]


def test_no_kernel_of_an_example_is_wrong() -> None:
    outcomes = {}
    for file in _files():
        outcome, why = taichi_examples.verdict(taichi_examples.run_apart(file))
        assert outcome != "wrong", f"{file}: {why}"
        outcomes[file.name] = outcome
    assert outcomes["mpm88.py"] == outcomes["laplace.py"] == "right" and outcomes["taichi_sparse.py"] == "refused"


@pytest.mark.skipif(not os.environ.get("HOTCELL_ALL_EXAMPLES"), reason="HOTCELL_ALL_EXAMPLES is not set: it takes half an hour")
def test_at_least_fifty_examples_are_right() -> None:
    verdicts = [taichi_examples.verdict(taichi_examples.run_apart(file))[0] for file in _files()]
    assert verdicts.count("right") >= 50 and "wrong" not in verdicts
