"""What documents show is run."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest

import hotcell
from conftest import KERNELS, TIER

ROOT = Path(__file__).parents[2]


def as_this_machine_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine has not the full tier, examples are run under less."""
    made = hotcell.Cell
    monkeypatch.setattr(hotcell, "Cell", lambda **options: made(**{"tier": TIER, **options}))
    monkeypatch.setattr("hotcell._cell._default", made(tier=TIER))


@pytest.mark.parametrize("document", ["docs/python.md", "docs/guard.md", "python/README.md"])
def test_examples_run_as_they_stand(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kernel in KERNELS.glob("*.wasm"):
        shutil.copy(kernel, tmp_path)
    monkeypatch.chdir(tmp_path)
    as_this_machine_can(monkeypatch)
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks, "there is nothing to run"
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{document}, example {number + 1}", "exec"), names)


def test_every_error_is_in_the_documentation() -> None:
    text = (ROOT / "docs/python.md").read_text()
    for name in hotcell.errors.__all__:
        assert f"`{name}`" in text or f"hotcell.{name}" in text, name


def test_the_six_cases_of_the_porting_guide_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    guide = ROOT / "examples/porting"
    porting = guide / "kernels/target/kernels/porting.wasm"
    assert porting.is_file(), f"{porting} is not there: hotcell build examples/porting/kernels"
    as_this_machine_can(monkeypatch)
    # Taichi's and JAX's own forms are for whoever has them.
    monkeypatch.setitem(sys.modules, "taichi_kernels", None)
    monkeypatch.setitem(sys.modules, "jax_functions", None)
    monkeypatch.setattr(sys, "argv", ["compare.py", "--kernels", str(KERNELS)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(guide / "compare.py"), run_name="__main__")
    told = capsys.readouterr().out
    assert end.value.code == 0, told
    assert len(re.findall(r" hotcell .* ok ", told)) == 6, told
