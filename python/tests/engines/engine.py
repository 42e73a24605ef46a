"""What the tests of the engines share."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotcell
from conftest import TIER, kernel

#: What engines say when they are imported and started is not for us to mend.
ANY_WARNING = pytest.mark.filterwarnings("ignore")


def needed(name: str) -> Any:
    """A module of an engine; where it is not there the test is skipped, or fails where nothing may be."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if os.environ.get("HOTCELL_REQUIRE_ALL_TESTS"):
            raise
        pytest.skip(f"{name} is not there: pip install -r requirements-engines.txt: {error}")


@contextmanager
def policy_of_this_machine() -> Iterator[None]:
    """Workers make cells of their own, under the policy that they find."""
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "hotcell"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    policy = folder / "hotcell.toml"
    policy.write_text(f'schema = 1\ntier = "{TIER}"\n')
    policy.chmod(0o600)
    try:
        yield
    finally:
        policy.unlink()


def loaded(name: str) -> hotcell.Entry:
    return next(iter(hotcell.Cell(tier=TIER).load(kernel(name)).entries.values()))


def softmax_of(x: np.ndarray) -> np.ndarray:
    weights = np.exp(x - x.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def causes(error: BaseException | None) -> str:
    """An error's text with those behind it."""
    texts = []
    while error is not None:
        texts.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def example(engine: str, **names: Any) -> dict[str, Any]:
    """What the guide's example of an engine leaves, with ``k`` the component of saxpy, and ``x`` and ``y`` arrays."""
    guide = (Path(__file__).parents[3] / "docs/python.md").read_text()
    blocks = re.findall(r"^```python no-run\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    block, = (block for block in blocks if f"from hotcell.engines.{engine} import" in block)
    x = np.arange(8, dtype="f4")
    names = {"k": loaded("saxpy").component, "x": x, "y": np.ones_like(x), **names}
    exec(compile(block.replace('"saxpy.wasm"', repr(str(kernel("saxpy")))), f"docs/python.md, {engine}", "exec"), names)
    return names
