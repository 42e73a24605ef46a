"""Calls: what goes in, what comes out, and what a call says of itself."""

from __future__ import annotations

import array
import base64
import copy
import inspect
import os
import pickle
from decimal import Decimal

import ml_dtypes
import numpy as np
import pyarrow
import pytest

import hotcell
from conftest import TIER, kernel

X = np.arange(8, dtype="f4")
Y = np.ones(8, dtype="f4")


@pytest.fixture
def saxpy(host: hotcell.Host) -> hotcell.Entry:
    return host.load(kernel("saxpy")).saxpy


def test_a_kernel_is_called_like_a_function(saxpy: hotcell.Entry) -> None:
    expected = 2 * X + Y
    for result in (
        saxpy(a=2.0, x=X, y=Y),
        saxpy(2, X, Y),
        saxpy(2, X, y=Y),
        saxpy(np.float32(2), X, Y),
        saxpy(np.array(2.0), X, Y),
        saxpy.component(2, X, Y),
        saxpy.component["saxpy"](2, X, Y),
        saxpy.options(timeout=2.5, fuel="10G", memory="64MiB", host_calls=1e4)(2, X, Y),
    ):
        assert result.dtype == np.float32 and np.array_equal(result, expected)
        result[0] = 7
        assert result[0] == 7, "results are the caller's"


def test_a_call_says_what_it_takes(host: hotcell.Host) -> None:
    saxpy = host.load(kernel("saxpy")).saxpy
    assert str(inspect.signature(saxpy)) == "(a: 'f32', x: 'f32[n]', y: 'f32[n]', *, out=None) -> 'f32[n]'"
    assert "Adds `a` times `x` to `y`" in inspect.getdoc(saxpy) and "x: f32, (n)" in saxpy.__doc__
    assert saxpy.__name__ == "saxpy" and saxpy.signature == "(n),(n)->(n)"
    fft = host.load(kernel("fft")).fft
    assert str(inspect.signature(fft)).startswith("(x: 'complex64[n]', *, inverse: 'bool' = False")
    jacobi = host.load(kernel("jacobi_2d"))["jacobi_2d"]
    assert [parameter.role for parameter in jacobi.parameters if parameter.dims] == ["inout", "inout"]
    mandelbrot = host.load(kernel("mandelbrot")).mandelbrot
    assert {"h", "w"} <= inspect.signature(mandelbrot).parameters.keys()
    component = saxpy.component
    assert "saxpy" in dir(component) and list(component) == ["saxpy"] and len(component.digest) == 64
    assert "saxpy(n),(n)->(n)" in repr(component)


def test_several_results_come_by_their_names(host: hotcell.Host) -> None:
    mandelbrot = host.load(kernel("mandelbrot")).mandelbrot
    names = [parameter.name for parameter in mandelbrot.parameters if parameter.role == "output"]
    scalars = {p.name: 50 if p.dtype in ("u32", "i32") else 1.0 for p in mandelbrot.parameters if p.role == "scalar"}
    results = mandelbrot(**scalars, h=8, w=4)
    assert results._fields == tuple(names) and all(result.shape == (8, 4) for result in results)


def test_results_go_where_they_are_wanted(saxpy: hotcell.Entry) -> None:
    into = np.zeros(8, dtype="f4")
    assert saxpy(2, X, Y, out=into) is into and into[3] == 7
    wider = np.zeros(8)
    assert saxpy(2, X, Y, out={"out": wider}) is wider and wider[3] == 7
    with pytest.raises(ValueError, match=r"float32\[8\].*float32\[4\]"):
        saxpy(2, X, Y, out=into[:4])
    for wrong, words in [([0] * 8, "NumPy"), ((into, into), "1 results, and out= has 2"), ({"y": into}, "no result `y`")]:
        with pytest.raises(TypeError, match=words):
            saxpy(2, X, Y, out=wrong)
    for wrong in (np.frombuffer(bytes(32), "f4"), np.zeros(8, "i4")):
        with pytest.raises(ValueError, match="cannot be written to|does not fit"):
            saxpy(2, X, Y, out=wrong)


def test_what_is_in_and_out_is_left_alone_and_returned(host: hotcell.Host) -> None:
    floyd = host.load(kernel("floyd_warshall")).floyd_warshall
    dist = np.array([[0, 1, 9], [9, 0, 1], [9, 9, 0]], dtype="i4")
    before = dist.copy()
    assert floyd(dist)[0, 2] == 2 and np.array_equal(dist, before)
    assert floyd(dist, out=dist) is dist and dist[0, 2] == 2


class OfDlpack:
    """A tensor that has nothing else."""

    def __dlpack__(self, **options: object) -> object:
        return X.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return X.__dlpack_device__()


class OfInterface:
    __array_interface__ = X.__array_interface__


class OfPandas:
    """Numbers with NaN are numbers, whatever a library counts as missing."""

    dtype = X.dtype

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return X

    def __arrow_c_stream__(self) -> object:
        raise AssertionError("it has an array")


@pytest.mark.parametrize(
    "x",
    [
        OfDlpack(),
        OfInterface(),
        OfPandas(),
        X.astype(">f4"),
        np.repeat(X, 2)[::2],
        X[::-1][::-1],
        list(map(float, X)),
        [int(x) for x in X],
        array.array("f", X),
        memoryview(X),
        pyarrow.array(X),
        X.astype("f2"),
        X.astype("i2"),
    ],
    ids=lambda x: type(x).__name__ + str(getattr(x, "dtype", "")),
)
def test_arrays_of_any_kind_go_in(saxpy: hotcell.Entry, x: object) -> None:
    assert np.array_equal(saxpy(2, x, Y), 2 * X + Y)


def test_what_would_lose_something_is_refused_by_name(saxpy: hotcell.Entry) -> None:
    for wrong in (X.astype("f8"), X.astype("i4"), X.astype("c8")):
        with pytest.raises(TypeError, match=rf"`x` of `saxpy`.*float32.*{wrong.dtype}.*astype"):
            saxpy(2, wrong, Y)
    for wrong in ([1e300] * 8, [2**130] * 8):
        with pytest.raises((TypeError, OverflowError), match="`x` of `saxpy`|a scalar"):
            saxpy(2, wrong, Y)
    with pytest.raises(OverflowError, match="`a` is a scalar of type f32, and 1e\\+300"):
        saxpy(1e300, X, Y)
    with pytest.raises(TypeError, match="`x` of `saxpy`.*masked"):
        saxpy(2, np.ma.masked_array(X, mask=X > 3), Y)
    assert saxpy(2, np.ma.masked_array(X), Y)[1] == 3
    with pytest.raises(TypeError, match="`x` of `saxpy`.*1 nulls"):
        saxpy(2, pyarrow.array([1.0, None], type=pyarrow.float32()), Y)
    with pytest.raises(TypeError, match="`x` of `saxpy`"):
        saxpy(2, object(), Y)
    for wrong in ("two", None, 2j, X):
        with pytest.raises((TypeError, ValueError), match="`a` is a scalar of type f32|one element|size-1|size 1"):
            saxpy(wrong, X, Y)


def test_calls_that_make_no_sense_are_told_apart(saxpy: hotcell.Entry) -> None:
    with pytest.raises(TypeError, match="misses `y`"):
        saxpy(2, X)
    with pytest.raises(TypeError, match="no argument `z`"):
        saxpy(2, X, Y, z=1)
    with pytest.raises(TypeError, match="3 positional arguments, and 4"):
        saxpy(2, X, Y, X)
    with pytest.raises(TypeError, match="several values.*`a`"):
        saxpy(2, X, Y, a=2)
    with pytest.raises(hotcell.UsageError) as raised:
        saxpy(2, X, Y[:3])
    assert "`n`" in str(raised.value) and isinstance(raised.value, ValueError)
    with pytest.raises(AttributeError, match="no entry `sxpy`; it has: saxpy"):
        saxpy.component.sxpy
    with pytest.raises(TypeError, match="`fule` is no option and no limit; limits are: fuel"):
        saxpy.options(fule=1)
    for options, words in [
        ({"timeout": "5 parsecs"}, "timeout"),
        ({"fuel": -1}, "fuel"),
        ({"fuel": 1.5}, "whole number"),
        ({"metering": "loose"}, "metering"),
        ({"threads": 0}, "threads"),
        ({"timeout": -1.0}, "timeout"),
    ]:
        with pytest.raises((ValueError, OverflowError), match=words):
            saxpy.options(**options)


def test_dtypes_that_numpy_has_no_name_for(host: hotcell.Host) -> None:
    made = hotcell.empty((2, 3), "bfloat16")
    assert made.dtype == ml_dtypes.bfloat16 and made.shape == (2, 3)
    for dtype in ("?", "f2", "f4", "f8", "c8", "c16", "i1", "u8"):
        assert hotcell.empty(3, dtype).dtype == np.dtype(dtype)
    with pytest.raises(TypeError, match="no kernel has arrays of"):
        hotcell.empty(3, "M8[s]")
    with pytest.raises(ValueError, match="negative"):
        hotcell.empty(-1)
    fft = host.load(kernel("fft")).fft
    signal = np.zeros(8, dtype="c8")
    signal[0] = 1
    assert np.array_equal(fft(signal), np.ones(8, dtype="c8"))
    assert np.allclose(fft(fft(signal), inverse=True), signal)


def test_plain_numbers_are_what_they_say(host: hotcell.Host) -> None:
    floyd = host.load(kernel("floyd_warshall")).floyd_warshall
    assert floyd([[0, 5], [1, 0]])[0, 1] == 5
    for wrong in ([[0, 2**32 + 5], [1, 0]], [[0, 2.5], [1, 0]]):
        with pytest.raises(TypeError, match="`dist` of `floyd_warshall`"):
            floyd(wrong)
    mandelbrot = host.load(kernel("mandelbrot")).mandelbrot
    for wrong in (4.9, "4", -1):
        with pytest.raises(TypeError, match="`h` of `mandelbrot` is the extent"):
            mandelbrot(h=wrong, w=2)


def test_the_last_word_on_a_limit_holds(saxpy: hotcell.Entry) -> None:
    limit = saxpy.options(timeout_ns=10**9).options(timeout=0.25).run(2, X, Y).report["limits"]["timeout_ns"]
    assert (limit["value"] if isinstance(limit, dict) else limit) == 250_000_000
    with pytest.raises(TypeError, match="given twice"):
        saxpy.options(timeout=1, timeout_ns=5)


def test_copies_are_launched_where_the_original_is(daemon: hotcell.Daemon) -> None:
    entry = daemon.load(kernel("saxpy")).saxpy
    assert copy.copy(entry) is entry and copy.deepcopy(entry.component) is entry.component
    for option in ({"tenant": "somebody"}, {"stop_grace": 1.0}):
        with pytest.raises(TypeError, match="the daemon's to say"):
            entry.options(**option)


def test_thousands_of_results_can_be_kept(cell: hotcell.Cell) -> None:
    saxpy = cell.load(kernel("saxpy")).saxpy
    large = np.ones(1 << 15, "f4")
    before = len(os.listdir("/proc/self/fd"))
    kept = [saxpy(number, large, large) for number in range(700)]
    assert all(result[7] == number + 1 for number, result in enumerate(kept))
    assert len(os.listdir("/proc/self/fd")) - before < 600


def test_empty_and_scalar_shapes(host: hotcell.Host) -> None:
    saxpy, total = host.load(kernel("saxpy")).saxpy, host.load(kernel("sum")).sum
    assert saxpy(2, X[:0], Y[:0]).shape == (0,)
    result = total(X)
    assert result.shape == () and float(result) == 28


@pytest.mark.parametrize("length", [1000, 1 << 20])
def test_memory_that_was_made_to_be_passed_holds_what_was_written(saxpy: hotcell.Entry, length: int) -> None:
    x, y = hotcell.empty(length, "f4"), np.ones(length, "f4")
    for round in range(4):
        x[:] = round
        first = saxpy(2, x, y)
        again = saxpy(2, x, y)
        assert (first == 2 * round + 1).all() and (again == first).all()
        # A result goes on as it is, and what was written to it goes with it.
        chained = saxpy(1, first, y)
        first[0] = 100
        changed = saxpy(1, first, y)
        assert (chained == 2 * round + 2).all() and changed[0] == 101 and (changed[1:] == 2 * round + 2).all()
        assert saxpy(1, first[1:], y[1:])[0] == 2 * round + 2, "a part of memory is a part"


def test_components_are_known_again_and_pickled_without_machine_code(cell: hotcell.Cell) -> None:
    component = cell.load(kernel("saxpy"))
    assert cell.load(component.digest).name == "saxpy"
    assert cell.load(kernel("saxpy").read_bytes()).digest == component.digest
    with pytest.raises(KeyError, match="no component of the digest 0000"):
        cell.load("0" * 64)
    with pytest.raises(FileNotFoundError, match="nowhere.wasm"):
        cell.load("nowhere.wasm")
    pickled = pickle.dumps(component.saxpy.options(fuel=1000))
    assert len(pickled) < 2 * kernel("saxpy").stat().st_size + 1000
    ended = component.saxpy.run(2, X, Y)
    again = pickle.loads(pickle.dumps(ended))
    assert again.report == ended.report and np.array_equal(again["out"], ended["out"])
    assert "done" in repr(ended) and "<table>" in ended._repr_html_()


def test_the_report_says_what_a_launch_took(host: hotcell.Host) -> None:
    ended = host.load(kernel("saxpy")).saxpy.options(threads=1).run(2, X, Y)
    report = ended.report
    assert report["outcome"]["kind"] == ended.kind == "done"
    assert report["isolation"] == "confined" and report["usage"]["fuel_used"] > 0
    assert ended.check() is ended and ended.exit_code == 0 and ended.reproducible


def test_a_component_says_its_name_and_version(host: hotcell.Host) -> None:
    component = host.load(kernel("saxpy"))
    assert component.name == "saxpy" and component.version.count(".") == 2


def test_a_cell_says_what_it_will_not_do() -> None:
    with pytest.raises(ValueError, match="tier"):
        hotcell.Cell(tier="tall")
    with pytest.raises(ValueError, match="grants"):
        hotcell.Cell(tier=TIER, grants=["everything"])
    with pytest.raises(TypeError, match="False for none"):
        hotcell.Cell(policy=True)
    with pytest.raises(ValueError, match="cannot read|nowhere"):
        hotcell.Cell(policy="nowhere.toml")
    with pytest.raises(ConnectionError, match="nowhere"):
        hotcell.connect("/nowhere.sock")


def test_a_notebook_shows_pictures(host: hotcell.Host) -> None:
    julia = host.load(kernel("julia")).julia
    page = julia.run(t=2, h=16, w=16)._repr_html_()
    shown = page.split("data:image/png;base64,")[1].split('"')[0]
    picture = base64.b64decode(shown)
    assert picture.startswith(b"\x89PNG") and b"acTL" in picture
    # Numbers are none.
    assert "<img" not in host.load(kernel("saxpy")).saxpy.run(2, X, Y)._repr_html_()


def test_the_package_brings_kernels_along(host: hotcell.Host) -> None:
    assert {"saxpy", "gemm", "julia"} <= set(hotcell.examples())
    assert list(hotcell.example("saxpy", host=host)(2.0, [1, 2], [3, 4])) == [5, 8]
    with pytest.raises(KeyError, match="no example `../saxpy`; it has: .*saxpy"):
        hotcell.example("../saxpy", host=host)


def test_whole_numbers_are_what_they_were_or_refused(cell: hotcell.Cell) -> None:
    given = hotcell._arrays.given
    for dtype, wrong in [("u64", [-1]), ("i64", [2**63]), ("u32", [2**32]), ("i8", [128]), ("f64", [2**64 - 1]), ("f32", [2**24 + 1])]:
        with pytest.raises(TypeError):
            given("e", "x", dtype, wrong)
    for dtype, right in [("u64", [2**63]), ("f64", [2**60]), ("f32", [2**24]), ("f16", [2048]), ("bf16", [256]), ("i8", [-128, True])]:
        assert given("e", "x", dtype, right).astype(object).astype(float).tolist() == [float(one) for one in right]
    # NumPy calls these safe.
    for wrong in (np.array([2**53 + 1]), np.array([2**64 - 1], "u8")):
        for dtype in ("f64", "complex128"):
            with pytest.raises(TypeError, match="without loss"):
                given("e", "x", dtype, wrong)
    assert given("e", "x", "f64", np.array([2**53, -(2**62)])).tolist() == [2**53, -(2**62)]


def test_arrays_that_are_changed_while_others_are_read(cell: hotcell.Cell) -> None:
    saxpy = cell.load(kernel("saxpy")).saxpy
    x = np.arange(1 << 16, dtype="f4")

    class Resizes:
        def __array__(self, *_: object, **__: object) -> np.ndarray:
            x.resize(4, refcheck=False)
            return np.ones(4, "f4")

    assert list(saxpy(1.0, x, Resizes())) == [1, 2, 3, 4]


def test_errors_of_arguments_are_their_own_or_say_which(cell: hotcell.Cell) -> None:
    saxpy, mandelbrot = (cell.load(kernel(name))[name] for name in ("saxpy", "mandelbrot"))

    class Raises:
        def __init__(self, error: BaseException) -> None:
            self.error = error

        def __float__(self) -> float:
            raise self.error

        def __index__(self) -> int:
            raise self.error

    for error in (KeyboardInterrupt(), MemoryError(), SystemExit(3)):
        with pytest.raises(type(error)):
            saxpy(Raises(error), X, Y)
        with pytest.raises(type(error)):
            mandelbrot(h=Raises(error), w=4)
    with pytest.raises(TypeError, match="`h` of `mandelbrot`") as caught:
        mandelbrot(h=Raises(TypeError("no")), w=4)
    assert "no" in str(caught.value.__cause__)
    for large in (10**400, Decimal("1e400"), np.longdouble("1e4000")):
        with pytest.raises(OverflowError, match="`a`"):
            saxpy(large, X, Y)
    assert np.isinf(saxpy(float("inf"), Y, Y)).all()
    with pytest.raises(TypeError, match="`a` is a scalar"):
        saxpy(X, X, Y)


def test_frames_and_nested_columns_are_refused_in_words(cell: hotcell.Cell) -> None:
    saxpy, gemm = cell.load(kernel("saxpy")).saxpy, cell.load(kernel("gemm")).gemm

    class Frame:
        shape, columns = (2, 2), ["a", "b"]

    with pytest.raises(TypeError, match="`x` of `saxpy` was given a data frame"):
        saxpy(1.0, Frame(), Y)
    nested = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array([1.0, None, 2.0, 3.0], pyarrow.float32()), 2)
    with pytest.raises(TypeError, match="nested"):
        gemm(nested, np.eye(2, dtype="f4"))


def test_several_results_are_pickled_and_targets_checked_before_one_is_written(cell: hotcell.Cell) -> None:
    mandelbrot = cell.load(kernel("mandelbrot")).mandelbrot
    made = mandelbrot(h=3, w=4)
    again = pickle.loads(pickle.dumps(made))
    assert again._fields == made._fields and all(np.array_equal(one, other) for one, other in zip(made, again))
    targets = (np.full(made[0].shape, 7, made[0].dtype), np.zeros((1, 1), made[1].dtype))
    with pytest.raises(ValueError, match="out= gives"):
        mandelbrot(h=3, w=4, out=targets)
    assert (targets[0] == 7).all()
