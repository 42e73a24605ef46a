"""What of Taichi is refused, and what the refusal says."""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np
import pytest

from hotcell.errors import ImportRefused
from test_import_taichi import imported, k, ti  # noqa: F401

#: Taichi warns of what it uses itself.
pytestmark = pytest.mark.filterwarnings("ignore")


def _refused(make: Any) -> ImportRefused:
    with pytest.raises(ImportRefused) as refusal:
        make()
    return refusal.value


def test_a_print_is_refused_at_its_line(imported: Any, k: Any) -> None:  # noqa: F811
    refusal = _refused(lambda: imported(k.printing))
    file, _, line = refusal.source.rpartition(":")
    assert refusal.operation == "print" and "print(x[i])" in linecache.getline(file, int(line))
    assert "write what you want to see into an array" in str(refusal)


def test_sparse_fields_are_refused(imported: Any, k: Any) -> None:  # noqa: F811
    sparse, _ = k.sparse_of()
    refusal = _refused(lambda: imported(sparse))
    assert refusal.operation == "pointer SNode" and "dense" in refusal.advice and "taichi_kernels.py:" in refusal.source


def test_a_field_that_was_not_named_is_named_in_the_refusal(imported: Any, k: Any, ti: Any) -> None:  # noqa: F811
    pixels = ti.field(ti.f32, shape=(8, 4))
    refusal = _refused(lambda: imported(k.julia_of(pixels, 4), fields={}))
    assert "`pixels`" in str(refusal) or "'pixels'" in str(refusal)


@pytest.mark.parametrize("signature", ["(n)->(n)", "(n),(n),(n),(n)->(n)", "(n,m),(n)->(n)", "(n),(n)"])
def test_a_signature_that_does_not_fit_is_refused(imported: Any, k: Any, signature: str) -> None:  # noqa: F811
    _refused(lambda: imported(k.saxpy, signature))


def test_an_example_that_fails_is_a_refusal(imported: Any, k: Any) -> None:  # noqa: F811
    assert "n is too small" in str(_refused(lambda: imported(k.demanding)))


def test_a_kernel_that_writes_beyond_an_example_is_refused(imported: Any, k: Any) -> None:  # noqa: F811
    x = np.full(16, 20, np.int32)
    refusal = _refused(lambda: imported(k.counted, arguments={"x": x}))
    file, _, line = refusal.source.rpartition(":")
    assert "reaches outside of an array" in refusal.reason and "out[x[i]] += 1" in linecache.getline(file, int(line))


def test_what_is_no_kernel_is_refused(imported: Any, ti: Any) -> None:  # noqa: F811
    assert "is no Taichi kernel" in str(_refused(lambda: imported(3)))
    assert "targets" in str(_refused(lambda: imported(3, targets=("cuda",))))


def test_the_first_element_that_differs_is_said(imported: Any, k: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from hotcell.taichi import check

    original = check.reference

    def other(*arguments: Any) -> Any:
        want = original(*arguments)
        want["x"][1] += 1
        return want

    monkeypatch.setattr(check, "reference", other)
    refusal = _refused(lambda: imported(k.mathy))
    assert "something else than Taichi: x[1]: " in str(refusal) and "1 of 16 elements differ" in str(refusal)
