"""Launches: how they ended, and those that have not."""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import html
import json
from typing import TYPE_CHECKING, Any

from . import _arrays, _native
from .errors import of_ended

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np

    Results = dict[str, np.ndarray[Any, Any]]

#: What of an end is copied when it is pickled.
_FIELDS = ("kind", "message", "blame", "trace", "partial", "reproducible", "breach", "retry_after", "exit_code")


class Ended:
    """How a launch ended: its results, and its report.

    Attributes:
        results: The arrays that came out, by the names of their parameters.
    """

    results: Results

    def __init__(self, native: _native.Ended) -> None:
        self._native: Any = native
        self._report: dict[str, Any] | None = None
        self.results = {name: _arrays.of_memory(memory) for name, memory in native.results}

    @property
    def kind(self) -> str:
        """The kind of end by its name in reports: ``done``, ``timeout``, ``out-of-fuel``."""
        return str(self._native.kind)

    @property
    def message(self) -> str:
        """What happened and what to do; empty where all went well."""
        return str(self._native.message)

    @property
    def blame(self) -> str | None:
        """Whose doing it was: ``guest``, ``request``, ``operator``, ``host``, ``unknown``; ``None`` where all went well."""
        blame: str | None = self._native.blame
        return blame

    @property
    def trace(self) -> list[str]:
        """The kernel's innermost functions at a trap, innermost first."""
        return list(self._native.trace)

    @property
    def partial(self) -> bool:
        """Whether the kernel stopped early because it was asked to, and left what it had."""
        return bool(self._native.partial)

    @property
    def reproducible(self) -> bool:
        """Whether the same launch would end the same way again."""
        return bool(self._native.reproducible)

    @property
    def breach(self) -> tuple[str, int, int] | None:
        """The limit that was reached: its name in reports, the amount, the maximum; ``None`` where none was."""
        breach: tuple[str, int, int] | None = self._native.breach
        return breach

    @property
    def retry_after(self) -> float | None:
        """In how many seconds a spent budget has enough; ``None`` where none is spent or that is not known."""
        seconds: float | None = self._native.retry_after
        return seconds

    @property
    def exit_code(self) -> int:
        """What ``hotcell run`` would end with."""
        return int(self._native.exit_code)

    @property
    def report(self) -> dict[str, Any] | None:
        """The report, as ``hotcell run --report`` writes it: what the launch took, under which limits, behind which walls."""
        if self._report is None:
            text = self._native.report_json()
            self._report = None if text is None else json.loads(text)
        return self._report

    def check(self) -> Ended:
        """Raise the error that this end is, if it is one.

        Raises:
            hotcell.Error: The kernel did not run to its end.
        """
        if self.kind != "done":
            raise of_ended(self)
        return self

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        """The result of that name."""
        return self.results[name]

    def __repr__(self) -> str:
        return f"<hotcell.Ended {self.kind}{': ' + self.message if self.message else ''}>"

    def __reduce__(self) -> tuple[Any, ...]:
        told = {name: getattr(self, name) for name in _FIELDS}
        return _rebuilt, (told, self._native.report_json(), self.results)

    def _repr_html_(self) -> str:
        """What a notebook shows: the report's numbers as a table."""
        rows = [("ended", self.kind + (": " + self.message if self.message else ""))]
        report = self.report or {}
        component = report.get("component", {})
        rows += [("kernel", f"{component.get('name', '')} {component.get('entry', '')}")]
        usage = report.get("usage", {})
        rows += [(name.replace("_", " "), str(usage[name])) for name in usage if isinstance(usage[name], (int, float))]
        rows += [(f"result {name}", f"{array.dtype}{list(array.shape)}") for name, array in self.results.items()]
        cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
        return f"<table>{cells}</table>{''.join(_pictures(self.results))}"


#: The most bytes of an array that is shown as a picture.
_MOST_SHOWN = 32 << 20


def _pictures(results: Results) -> Generator[str, None, None]:
    """The results that are pictures, as HTML: bytes of grey, RGB or RGBA, and several of these as an animation."""
    for name, array in results.items():
        extents = array.shape[:-1] if array.ndim > 2 and array.shape[-1] in (3, 4) else array.shape
        # Columns of three bytes are pictures for nobody.
        is_picture = array.dtype == "u1" and 2 <= len(extents) <= 3 and min(extents[-2:]) >= 8 and array.nbytes <= _MOST_SHOWN
        if is_picture and (encoded := _native.picture("u8", array)) is not None:
            source = base64.b64encode(encoded).decode()
            yield f'<figure><img src="data:image/png;base64,{source}"><figcaption>{html.escape(name)}</figcaption></figure>'


def failed(native: _native.Ended) -> Exception:
    """The error that an end is. Called by the native half."""
    return of_ended(Ended(native))


class _Told:
    """A native end that was pickled."""

    def __init__(self, told: dict[str, Any], report: str | None) -> None:
        self.__dict__.update(told)
        self._text = report
        self.results: list[Any] = []

    def report_json(self) -> str | None:
        return self._text


def _rebuilt(told: dict[str, Any], report: str | None, results: Results) -> Ended:
    ended = Ended(_Told(told, report))  # type: ignore[arg-type]
    ended.results = results
    return ended


class Launch(concurrent.futures.Future[Any]):
    """A launch that runs: a future of its results, which can also be awaited.

    ``cancel`` asks it to stop, as :meth:`hotcell.Entry.start` says.
    """

    def __init__(self, make: Callable[[Ended], Any]) -> None:
        super().__init__()
        self._make = make
        self._started: _native.Started | None = None
        self._is_cancelled = False
        #: How it ended, once it has.
        self.ended: Ended | None = None

    def cancel(self) -> bool:
        """Ask the launch to stop. Its result is then a ``CancelledError``, once it has stopped, unless it was faster.

        Returns:
            Whether it was still running.
        """
        if self.done():
            return False
        self._is_cancelled = True
        if self._started is not None:
            self._started.cancel()
        return True

    def running(self) -> bool:
        """Whether it has not ended."""
        return not self.done()

    def _begun(self, started: _native.Started) -> Launch:
        self._started = started
        if self._is_cancelled:
            started.cancel()
        return self

    def _read(self, native: Any) -> Ended:
        return Ended(native)

    def _done(self, native: Any, raised: BaseException | None) -> None:
        """Called by the launch's own thread."""
        try:
            if native is not None:
                self.ended = self._read(native)
        except BaseException as error:  # Whoever asks for the result is to see it.
            raised = error
        if self._is_cancelled and (self.ended is None or self.ended.kind == "cancelled"):
            super().cancel()
            self.set_running_or_notify_cancel()
            return
        self.set_running_or_notify_cancel()
        try:
            if raised is not None:
                raise raised
            assert self.ended is not None
            result = self._make(self.ended)
        except BaseException as error:  # Whoever asks for the result is to see it.
            self.set_exception(error)
        else:
            self.set_result(result)

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.wrap_future(self).__await__()
