"""Run compute kernels that nobody trusts yet, at nearly the speed of trusted code.

A kernel is a WebAssembly component: numeric code that takes arrays and numbers and gives arrays. It runs in a confined
process under limits on time, fuel and memory, and every launch has a report.

    >>> import hotcell, numpy as np
    >>> k = hotcell.load("saxpy.wasm")
    >>> x = np.arange(3, dtype="f4")
    >>> k.saxpy(a=2.0, x=x, y=np.ones(3, dtype="f4"))
    array([1., 3., 5.], dtype=float32)

``load`` uses a cell of this process, which is made when it is first needed: under the operator's policy where the machine has
one, else under default limits. ``Cell`` makes others, and ``connect`` asks a daemon. Errors are in ``hotcell.errors``, and here.
"""

from ._arrays import empty
from ._cell import Cell, Daemon, Host, connect, default_cell
from ._component import Component, Entry, Parameter, example, examples, load
from ._guard import GuardEnded, Guarded, GuardedFunction, guard, guarded
from ._launch import Ended, Launch
from ._native import __version__
from ._profile import Profile
from .errors import (
    BudgetExceeded,
    Cancelled,
    Denied,
    Error,
    GpuError,
    GpuLimit,
    GpuLost,
    GpuTimeout,
    HostFault,
    ImportRefused,
    InputOutputError,
    InvalidComponent,
    IsolationError,
    KernelError,
    LimitReached,
    MemoryLimit,
    OutOfFuel,
    OutOfGpuFuel,
    Timeout,
    Trap,
    UsageError,
)

__all__ = [
    "BudgetExceeded",
    "Cancelled",
    "Cell",
    "Component",
    "Daemon",
    "Denied",
    "Ended",
    "Entry",
    "Error",
    "GpuError",
    "GpuLimit",
    "GpuLost",
    "GpuTimeout",
    "GuardEnded",
    "Guarded",
    "GuardedFunction",
    "Host",
    "HostFault",
    "ImportRefused",
    "InputOutputError",
    "InvalidComponent",
    "IsolationError",
    "KernelError",
    "Launch",
    "LimitReached",
    "MemoryLimit",
    "OutOfFuel",
    "OutOfGpuFuel",
    "Parameter",
    "Profile",
    "Timeout",
    "Trap",
    "UsageError",
    "__version__",
    "connect",
    "default_cell",
    "empty",
    "example",
    "examples",
    "guard",
    "guarded",
    "load",
]
