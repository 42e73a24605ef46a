"""How each operation is lowered: importing these modules registers them."""

from . import (
    control,
    convolution,
    custom,
    dot,
    elementwise,
    fourier,
    gather,
    linalg,
    reduce,
    shape,
    sort,
    symbolic,
    update,
    window,
)

__all__ = [
    "control", "convolution", "custom", "dot", "elementwise", "fourier", "gather", "linalg", "reduce", "shape", "sort", "symbolic", "update",
    "window",
]  # fmt: skip
