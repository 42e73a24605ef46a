"""Everything that the importer is tried on is right or refused, and never wrong."""

from __future__ import annotations

import os

import hotcell
from conftest import needed

needed("jax")
needed("llvmlite")

import import_breadth

#: At least so many of all are right: fewer is a regression.
RIGHT = 600
#: Where not all are run, one of so many is.
ONE_OF = 12


def test_nothing_is_wrong_and_most_is_right(cell: hotcell.Cell) -> None:
    importer = import_breadth.component_importer(cell)
    is_whole = bool(os.environ.get("HOTCELL_ALL_EXAMPLES"))
    cases = import_breadth.CASES if is_whole else import_breadth.CASES[::ONE_OF]
    verdicts = [(case, import_breadth.judged(case, importer)) for case in cases]
    wrong = [f"{case.area}.{case.name}: {verdict.text}" for case, verdict in verdicts if verdict.kind == "wrong"]
    assert not wrong, "\n".join(wrong)
    right = sum(verdict.kind == "right" for _, verdict in verdicts)
    assert right >= (RIGHT if is_whole else 0.9 * len(cases))
