"""Taichi's own examples fare in a guarded process as they do alone, with nothing refused. They take some minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_taichis_examples_run_guarded_as_they_do_alone() -> None:
    driver = Path(__file__).parent / "taichi_examples.py"
    ran = subprocess.run([sys.executable, str(driver)], capture_output=True, text=True, timeout=3600)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
