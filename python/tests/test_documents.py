"""What documents show is run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import hotcell
from conftest import KERNELS, TIER

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("document", ["docs/python.md", "python/README.md"])
def test_examples_run_as_they_stand(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kernel in KERNELS.glob("*.wasm"):
        shutil.copy(kernel, tmp_path)
    monkeypatch.chdir(tmp_path)
    # Where this machine has not the full tier, the examples are run under less.
    made = hotcell.Cell
    monkeypatch.setattr(hotcell, "Cell", lambda **options: made(**{"tier": TIER, **options}))
    monkeypatch.setattr("hotcell._cell._default", made(tier=TIER))
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks, "there is nothing to run"
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{document}, example {number + 1}", "exec"), names)


def test_every_error_is_in_the_documentation() -> None:
    text = (ROOT / "docs/python.md").read_text()
    for name in hotcell.errors.__all__:
        assert f"`{name}`" in text or f"hotcell.{name}" in text, name
