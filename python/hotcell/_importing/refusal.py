"""Why something was not imported: what it is, where it stands in the author's source, and what to do."""

from __future__ import annotations

from hotcell.errors import Error


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
        return _rebuilt, (self.reason, self.operation, self.dtype, self.source, self.advice)


def _rebuilt(reason: str, operation: str, dtype: str, source: str, advice: str) -> ImportRefused:
    return ImportRefused(reason, operation=operation, dtype=dtype, source=source, advice=advice)
