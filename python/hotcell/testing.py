"""For tests of kernels: their exact fuel, held against what it was.

Fuel in ``deterministic`` metering is the same on every machine. With ``pytest_plugins = ["hotcell.testing"]`` in ``conftest.py``, a
test asks for the fixture ``fuel_baseline``::

    def test_dot_takes_no_more_fuel(fuel_baseline):
        k = hotcell.load("dot.wasm")
        fuel_baseline.check("dot of 1000", k.dot, x=x, y=y)

The figures are in a file beside the test's, ``test_dot.fuel.json``, to be kept with it. ``HOTCELL_SAVE_FUEL=1 pytest`` writes them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._component import Entry

#: With this in the environment, figures are saved in place of compared.
SAVE = "HOTCELL_SAVE_FUEL"


class FuelRegression(AssertionError):
    """An entry takes more fuel than it did, or its fuel was never saved."""


class FuelBaseline:
    """Exact fuel by name, in a file.

    Args:
        path: The file, as JSON.
        tolerance: How much more fuel is no regression, in percent.
        save: Whether figures are saved in place of compared. Default: what ``HOTCELL_SAVE_FUEL`` says.
    """

    def __init__(self, path: str | os.PathLike[str], *, tolerance: float = 0.0, save: bool | None = None) -> None:
        self.path = Path(path)
        self.tolerance = tolerance
        self._save = os.environ.get(SAVE) == "1" if save is None else save
        self._known: dict[str, int] = {}
        if self.path.exists():
            read = json.loads(self.path.read_text(encoding="utf-8"))
            if read.get("schema") != 1:
                raise ValueError(f"{self.path} is no baseline of schema 1: save it again with {SAVE}=1")
            self._known = read["fuel"]

    def check(self, name: str, entry: Entry, /, *args: Any, **kwargs: Any) -> int:
        """Launch an entry, and hold its fuel against what was saved under that name.

        Returns:
            The fuel.

        Raises:
            FuelRegression: It is more than what was saved, beyond what is tolerated; or nothing was.
            hotcell.Error: The launch was not done.
        """
        report = entry.options(metering="deterministic").run(*args, **kwargs).check().report
        fuel = int(report["usage"]["fuel_used"]) if report else 0
        if self._save:
            self._known[name] = fuel
            return fuel
        if name not in self._known:
            raise FuelRegression(f"{name}: {self.path} has no fuel of it: save it with {SAVE}=1")
        was = self._known[name]
        if fuel > was * (1 + self.tolerance / 100):
            grown = 100 * (fuel / max(was, 1) - 1)
            raise FuelRegression(f"{name}: fuel {was} → {fuel} ({grown:+.2f} %, and {self.tolerance} % are tolerated)")
        return fuel

    def close(self) -> None:
        """Write the file, where figures are saved."""
        if self._save and self._known:
            text = json.dumps({"schema": 1, "fuel": dict(sorted(self._known.items()))}, indent=2)
            self.path.write_text(text + "\n", encoding="utf-8")


try:
    import pytest
except ImportError:
    pass
else:

    @pytest.fixture
    def fuel_baseline(request: pytest.FixtureRequest) -> Iterator[FuelBaseline]:
        """Exact fuel, in a file beside the test's."""
        baseline = FuelBaseline(request.path.with_suffix(".fuel.json"))
        yield baseline
        baseline.close()
