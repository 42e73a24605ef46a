"""Why a launch did not end well: one class for each kind of end, below those of Python that mean the same.

Every error has the launch's ``report`` where there is one, and its text is one line that says what happened and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from ._launch import Ended

__all__ = [
    "BudgetExceeded",
    "Cancelled",
    "Denied",
    "Error",
    "GpuError",
    "GpuLimit",
    "GpuLost",
    "GpuTimeout",
    "HostFault",
    "ImportRefused",
    "InputOutputError",
    "InvalidComponent",
    "IsolationError",
    "KernelError",
    "LimitReached",
    "MemoryLimit",
    "OutOfFuel",
    "OutOfGpuFuel",
    "Timeout",
    "Trap",
    "UsageError",
]


class Error(Exception):
    """A launch did not end well, or could not begin."""

    #: The kind of end by its name in reports, as ``out-of-fuel``.
    kind: str = "error"
    #: How the launch ended, with what it left.
    ended: Ended | None

    def __init__(self, message: str, ended: Ended | None = None) -> None:
        super().__init__(message)
        self.ended = ended

    @property
    def report(self) -> dict[str, Any] | None:
        """The launch's report, as ``hotcell run --report`` writes it; ``None`` where the launch did not come so far."""
        return None if self.ended is None else self.ended.report

    @property
    def results(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """The arrays that the kernel left: some where it stopped early because it was asked to, else none."""
        return {} if self.ended is None else self.ended.results

    @property
    def trace(self) -> list[str]:
        """The kernel's innermost functions at a trap, innermost first."""
        return [] if self.ended is None else self.ended.trace

    @property
    def traceback(self) -> str:
        """Where a function raised that was called in a guarded process, as Python printed that there; empty else."""
        return getattr(self.ended, "traceback", "")

    @property
    def breach(self) -> tuple[str, int, int] | None:
        """The limit that was reached: its name in reports, the amount, the maximum; ``None`` where none was."""
        return None if self.ended is None else self.ended.breach

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), str(self), self.ended)


def _rebuilt(kind: type[Error], message: str, ended: Ended | None) -> Error:
    return kind(message, ended)


class UsageError(Error, ValueError):
    """The call makes no sense: a missing argument, a wrong dtype or shape, an unknown entry."""

    kind = "usage"


class InputOutputError(Error, OSError):
    """An input cannot be read, a result not written, or the daemon not reached."""

    kind = "io"


class KernelError(Error):
    """The kernel returned an error of its own."""

    kind = "kernel-error"


class Trap(Error):
    """The kernel trapped: an access out of bounds, a division by zero, a panic."""

    kind = "trap"


class LimitReached(Error):
    """A limit was reached: bytes, host calls, handles, compilation, or one of those below."""

    kind = "limit"


class OutOfFuel(LimitReached):
    """The kernel spent its fuel."""

    kind = "out-of-fuel"


class Timeout(LimitReached, TimeoutError):
    """The deadline passed, or the processor time was spent."""

    kind = "timeout"


class MemoryLimit(LimitReached, MemoryError):
    """The kernel's memory was not enough for it."""

    kind = "memory-limit"


class Denied(Error, PermissionError):
    """The policy forbids the launch, or a capability is missing."""

    kind = "denied"


class InvalidComponent(Error, ValueError):
    """The bytes are no kernel component."""

    kind = "invalid-component"


class GpuError(Error):
    """Something about GPU work."""


class OutOfGpuFuel(GpuError, LimitReached):
    """A dispatch spent the launch's GPU fuel."""

    kind = "gpu-fuel-exhausted"


class GpuLimit(GpuError, LimitReached):
    """A limit on GPU work was reached."""

    kind = "gpu-limit"


class GpuTimeout(GpuError, LimitReached, TimeoutError):
    """The device did not finish in time."""

    kind = "gpu-timeout"


class GpuLost(GpuError):
    """The device was lost."""

    kind = "gpu-lost"


class Cancelled(Error):
    """Somebody asked the launch to stop."""

    kind = "cancelled"


class HostFault(Error, RuntimeError):
    """hotcell failed, or the machine below it."""

    kind = "host-fault"


class BudgetExceeded(Error):
    """A budget is spent or a queue is full: later there may be room."""

    kind = "budget"

    @property
    def retry_after(self) -> float | None:
        """In how many seconds there will be enough; ``None`` where that is not known."""
        return None if self.ended is None else self.ended.retry_after


class IsolationError(Error, RuntimeError):
    """The isolation that is required is not to be had here; ``python -m hotcell doctor`` says more."""

    kind = "isolation"


class ImportRefused(Error, ValueError):
    """A function or a kernel was not imported.

    Attributes:
        reason: Why, in a sentence fragment.
        operation: The operation by its name in the original, such as ``stablehlo.rng``; empty where it is about the whole.
        dtype: The element type that it is about; empty where it is about none.
        source: The author's line, such as ``model.py:12``; empty where the original does not say.
        advice: What to do; empty where nothing helps.
    """

    kind = "import-refused"

    def __init__(self, reason: str, *, operation: str = "", dtype: str = "", source: str = "", advice: str = "") -> None:
        self.reason = reason
        self.operation = operation
        self.dtype = dtype
        self.source = source
        self.advice = advice
        what = " on ".join(part for part in (operation, dtype) if part)
        where = f" at {source}" if source else ""
        begin = f"{what}{where}: " if what or where else ""
        super().__init__(begin + reason + (f"; {advice}" if advice else ""))

    def __reduce__(self) -> tuple[object, ...]:
        return _refused_import, (self.reason, self.operation, self.dtype, self.source, self.advice)


def _refused_import(reason: str, operation: str, dtype: str, source: str, advice: str) -> ImportRefused:
    return ImportRefused(reason, operation=operation, dtype=dtype, source=source, advice=advice)


def _all_kinds(of: type[Error]) -> dict[str, type[Error]]:
    kinds = {} if of is Error or of is GpuError else {of.kind: of}
    for kind in of.__subclasses__():
        kinds.update(_all_kinds(kind))
    return kinds


_KINDS = _all_kinds(Error)


def of_ended(ended: Ended) -> Error:
    """The error that an end is."""
    return _KINDS.get(ended.kind, Error)(ended.message, ended)
