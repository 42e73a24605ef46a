"""Profiles and fuel baselines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import kernel

import hotcell
from hotcell.testing import FuelBaseline, FuelRegression


def test_a_profile_has_models_of_fuel_and_a_page(cell: hotcell.Cell, tmp_path: Path) -> None:
    saxpy = cell.load(kernel("saxpy")).saxpy
    profile = saxpy.profile({"n": (1_000, 64_000)}, scalars={"a": 2.5}, search=8, honest=20, repeats=1)
    fuel = profile.models["fuel"]
    assert fuel.irregular is None and fuel.max_percent < 2 and "*n" in fuel.text
    assert {point.outcome for point in profile.points} == {"done"}
    assert profile.worst is not None and profile.worst.ratio_to_median == pytest.approx(1, abs=0.01)
    assert "<iframe sandbox" in profile._repr_html_() and "Limits that fit" in profile.page()
    assert 'name = "saxpy"' in profile.policy()
    profile.save(tmp_path / "saxpy.profile.json")
    assert hotcell.Profile.read(tmp_path / "saxpy.profile.json").points == profile.points


def test_what_does_not_fit_the_entry_is_a_value_error(cell: hotcell.Cell) -> None:
    saxpy = cell.load(kernel("saxpy")).saxpy
    for sweep, says in [({}, "nothing is swept"), ({"m": (1, 2)}, "it has: n"), ({"n": (5, 1)}, "smaller size first")]:
        with pytest.raises(ValueError, match=says):
            saxpy.profile(sweep)


def test_fuel_that_grew_is_a_regression(cell: hotcell.Cell, tmp_path: Path) -> None:
    dot = cell.load(kernel("dot")).dot
    x = np.ones(1000, dtype="f4")
    path = tmp_path / "dot.fuel.json"
    with pytest.raises(FuelRegression, match="HOTCELL_SAVE_FUEL=1"):
        FuelBaseline(path).check("dot", dot, x=x, y=x)
    saving = FuelBaseline(path, save=True)
    fuel = saving.check("dot", dot, x=x, y=x)
    saving.close()
    assert FuelBaseline(path).check("dot", dot, x=x, y=x) == fuel
    path.write_text(json.dumps({"schema": 1, "fuel": {"dot": fuel * 9 // 10}}))
    with pytest.raises(FuelRegression, match=r"dot: fuel \d+ → \d+ \(\+11"):
        FuelBaseline(path).check("dot", dot, x=x, y=x)
    assert FuelBaseline(path, tolerance=12).check("dot", dot, x=x, y=x) == fuel
