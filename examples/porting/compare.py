#!/usr/bin/env python3
"""Runs the kernels of docs/porting.md with hotcell and compares them with NumPy.

Where taichi or jax can be imported, their forms run too. Needs the package (`cargo xtask wheel`), and the components
(`cargo xtask kernels`; `hotcell build examples/porting/kernels`). Exits with 1 if a result is off by more than its
bound, or a launch fails.
"""

import argparse
import importlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import numpy as np

import hotcell

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OURS = "porting"  # The component of examples/porting/kernels.


@dataclass
class Case:
    """One computation: what every implementation gets, and how the results are held against each other."""

    name: str
    component: str
    original: str  # "taichi" or "jax": where the kernel comes from.
    scalars: dict
    inputs: dict
    outputs: list
    numpy: Callable  # The reference, in double precision: (scalars, inputs, dims) -> one array an output.
    bound: float
    entry: str = ""
    dims: dict = field(default_factory=dict)
    error: Callable = None
    # From the arrays that hotcell returns to those that the reference returns.
    convert: Callable = staticmethod(lambda arrays: arrays)


def relative_error(got, want):
    """The largest difference, relative to the reference where that is above 1."""
    return float(np.max(np.abs(got - want) / np.maximum(np.abs(want), 1.0), initial=0.0))


def share_of_pixels(got, want):
    """The share of pixels whose brightness differs by more than one level of 255."""
    return float(np.mean(np.abs(got - want) > 1.5 / 255))


def numpy_saxpy(scalars, inputs, dims):
    return [scalars["a"] * inputs["x"].astype(np.float64) + inputs["y"]]


def numpy_julia(scalars, inputs, dims):
    t, h, w = dims["t"], dims["h"], dims["w"]
    re = (np.arange(w) - 0.5 * w) * (2.0 / h)
    im = (np.arange(h)[::-1] - 0.5 * h) * (2.0 / h)
    frames = []
    for frame in range(t):
        c = -0.8 + 0.2j * np.cos(scalars["start"] + scalars["step"] * frame)
        z = re[None, :] + 1j * im[:, None]
        steps = np.zeros((h, w))
        for _ in range(scalars["limit"]):
            inside = np.abs(z) < 20
            steps += inside
            z = np.where(inside, z * z + c, z)
        frames.append(1.0 - steps / scalars["limit"])
    return [np.stack(frames)]


def numpy_nbody(scalars, inputs, dims):
    x, v = inputs["positions"].astype(np.float64), inputs["velocities"].astype(np.float64)
    d = x[None, :, :] - x[:, None, :]
    squared = (d * d).sum(axis=-1) + scalars["softening"]
    v = v + scalars["dt"] * (d / squared[..., None] ** 1.5).sum(axis=1)
    return [x + scalars["dt"] * v, v]


def numpy_softmax(scalars, inputs, dims):
    x = inputs["x"].astype(np.float64)
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return [weights / weights.sum(axis=-1, keepdims=True)]


def numpy_dense(scalars, inputs, dims):
    x, w, b = (inputs[name].astype(np.float64) for name in ("x", "w", "b"))
    return [np.maximum(x @ w + b, 0)]


def numpy_smooth(scalars, inputs, dims):
    x = inputs["x"].astype(np.float64)
    out, level = np.empty_like(x), x[:, 0]
    for i in range(x.shape[1]):
        level = level + scalars["alpha"] * (x[:, i] - level)
        out[:, i] = level
    return [out]


def cases():
    """The six cases of the guide, with inputs from a fixed seed."""
    random = np.random.default_rng(1)

    def uniform(*shape):
        return random.uniform(-1, 1, shape).astype(np.float32)

    return [
        Case("saxpy", "saxpy", "taichi", {"a": 2.5}, {"x": uniform(1 << 18), "y": uniform(1 << 18)},
             ["out"], numpy_saxpy, 1e-6),
        # The blue channel is the brightness; the rest is a tint of our own.
        Case("julia", "julia", "taichi", {"limit": 50, "start": 0.0, "step": 0.5}, {}, ["frames"],
             numpy_julia, 0.01, dims={"t": 2, "h": 320, "w": 640}, error=share_of_pixels,
             convert=lambda arrays: [arrays[0][..., 2] / 255.0]),
        Case("nbody", "nbody", "taichi", {"dt": 0.01, "softening": 0.01},
             {"positions": uniform(512, 3), "velocities": uniform(512, 3)},
             ["new_positions", "new_velocities"], numpy_nbody, 1e-5),
        Case("softmax", "softmax", "jax", {}, {"x": uniform(4, 4, 32, 128)}, ["out"], numpy_softmax, 1e-6),
        Case("dense", OURS, "jax", {}, {"x": uniform(64, 256), "w": uniform(256, 128), "b": uniform(128)},
             ["out"], numpy_dense, 1e-5, entry="dense"),
        Case("smooth", OURS, "jax", {"alpha": 0.1}, {"x": uniform(64, 1000)}, ["out"], numpy_smooth, 1e-5,
             entry="smooth"),
    ]


def run_hotcell(component, case, metering):
    """One launch; returns its output arrays and its report. How it ends badly is an exception."""
    entry = hotcell.load(component)[case.entry or case.name].options(metering=metering)
    ended = entry.run(**case.scalars, **case.inputs, **case.dims).check()
    return [ended[name] for name in case.outputs], ended.report


def run_original(case):
    """The Taichi or JAX form of the case; raises ImportError where that package is not to be had."""
    module = importlib.import_module({"taichi": "taichi_kernels", "jax": "jax_functions"}[case.original])
    function = getattr(module, case.name)
    scalars = {name: value for name, value in case.scalars.items() if name != "limit"}
    result = function(**scalars, **case.inputs, **case.dims)
    return [np.asarray(array) for array in (result if isinstance(result, tuple) else (result,))]


def judge(case, who, arrays, want, note=""):
    """Prints one line; returns whether the result is within its bound."""
    error = max((case.error or relative_error)(got, ref) for got, ref in zip(arrays, want))
    good = error <= case.bound and [a.shape for a in arrays] == [w.shape for w in want]
    print(f"{case.name:8}  {who:8}  {error:9.2e}  {case.bound:9.2e}  {'ok' if good else 'OFF':4}  {note}")
    return good


def compare(case, options):
    """All implementations of one case; returns whether all that ran are good."""
    want = case.numpy(case.scalars, case.inputs, case.dims)
    folder = options.porting if case.component == OURS else options.kernels
    component = folder / f"{case.component}.wasm"
    try:
        arrays, report = run_hotcell(component, case, options.metering)
    except (hotcell.Error, OSError) as failure:
        print(f"{case.name:8}  {'hotcell':8}  failed: {failure}")
        good = False
    else:
        usage = report["usage"]
        note = f"{int(usage['wall_ns']) / 1e6:.1f} ms, fuel {usage.get('fuel_used', '–')}"
        good = judge(case, "hotcell", case.convert(arrays), want, note)
    try:
        return judge(case, case.original, run_original(case), want) and good
    except ImportError as missing:
        print(f"{case.name:8}  {case.original:8}  not run: {missing}")
        return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=Path, default=ROOT / "target/kernels", help="the repository's components")
    parser.add_argument("--porting", type=Path, default=HERE / "kernels/target/kernels", help="where porting.wasm is")
    parser.add_argument("--metering", default="strict", choices=["fast", "strict", "deterministic"])
    parser.add_argument("--only", metavar="CASE", help="run one case")
    options = parser.parse_args()
    chosen = [case for case in cases() if options.only in (None, case.name)]
    if not chosen:
        parser.error(f"no case `{options.only}` (known: {', '.join(case.name for case in cases())})")
    print(f"{'case':8}  {'by':8}  {'error':9}  {'bound':9}")
    results = [compare(case, options) for case in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
