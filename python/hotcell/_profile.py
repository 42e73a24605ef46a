"""What entries cost by the sizes of their arrays."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._component import Entry


class Point(NamedTuple):
    """One launch of a profile."""

    #: Why it was made: ``fitted``, ``held-out``, ``kinds`` or ``honest``.
    purpose: str
    #: Every dimension and whole scalar.
    sizes: dict[str, int]
    #: What its arrays were made by.
    recipe: str
    #: The kind of its end.
    outcome: str
    #: Fuel over all chunks.
    fuel: int
    #: The shortest execution, on one thread, in nanoseconds.
    time_ns: int
    #: The most linear memory that was alive at once, in bytes.
    memory_bytes: int
    #: Chunks.
    instances: int


class Model(NamedTuple):
    """A function of the sizes that was fitted, and what it is worth."""

    #: What of: ``fuel``, ``memory`` (of one instance, in bytes) or ``time`` (in nanoseconds).
    quantity: str
    #: The function, in the notation of cost annotations.
    text: str
    #: The largest error on sizes that it was not fitted to, in percent.
    max_percent: float
    #: The median error there, in percent.
    median_percent: float
    #: The least and the most that was measured for each that was foretold.
    band: tuple[float, float]
    #: Why it is none that can be relied on; ``None`` for one that can.
    irregular: str | None


class Worst(NamedTuple):
    """The most fuel for its size that was found."""

    #: Of what sizes the arrays were.
    sizes: dict[str, int]
    #: What they are made by.
    recipe: str
    #: The fuel that they took.
    fuel: int
    #: Fuel over the elements of all arrays.
    fuel_per_element: float
    #: Fuel over the median fuel of ordinary arrays of those sizes.
    ratio_to_median: float


class Profile:
    """What an entry costs by the sizes of its arrays: :meth:`hotcell.Entry.profile`.

    A notebook shows it as a page with curves, models and limits.

    Attributes:
        entry: The entry's name.
        component: BLAKE3 of the component.
        points: Every launch.
        models: By what they are of: ``fuel``, ``memory``, ``time``.
        worst: The most fuel for its size that was found; ``None`` where it was not looked for.
    """

    entry: str
    component: str
    points: list[Point]
    models: dict[str, Model]
    worst: Worst | None

    def __init__(self, text: str) -> None:
        read = json.loads(text)
        self._text = text
        self.entry = read["entry"]
        self.component = read["component"]
        self.points = [_point(point) for point in read["points"]]
        self.models = {model["quantity"]: _model(model) for model in read["models"]}
        worst = read["worst"]
        self.worst = worst and Worst(*(worst[name] for name in Worst._fields))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Profile:
        """Read what :meth:`save` or ``hotcell profile`` wrote.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is no profile.
        """
        text = Path(path).read_text(encoding="utf-8")
        # What it has to be is known to what makes pages of it.
        _native.profile_page(text, 0.0)
        return cls(text)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON, for :meth:`read` and ``hotcell policy suggest``."""
        Path(path).write_text(json.dumps(json.loads(self._text), indent=2) + "\n", encoding="utf-8")

    def policy(self, margin: float = 50.0) -> str:
        """The limits that it suggests, as a policy's text, a margin in percent above the most that was seen."""
        return _native.profile_policy(self._text, margin)

    def page(self, margin: float = 50.0) -> str:
        """One page of HTML, with everything in it and nothing that is fetched or runs."""
        return _native.profile_page(self._text, margin)

    def _repr_html_(self) -> str:
        # In a frame of its own: its style is for a whole page.
        page = html.escape(self.page(), quote=True)
        return f'<iframe sandbox title="Profile of {html.escape(self.entry, quote=True)}" style="width: 100%; height: 48rem; border: 0" srcdoc="{page}"></iframe>'

    def __repr__(self) -> str:
        models = ", ".join(
            f"{model.quantity} irregular" if model.irregular else f"{model.quantity} {model.text}" for model in self.models.values()
        )
        return f"<hotcell.Profile {self.entry}: {models}>"


def taken(
    entry: Entry,
    sweep: Mapping[str, tuple[int, int] | Sequence[int]],
    how: Mapping[str, Mapping[str, Any]],
    **counts: int,
) -> Profile:
    """Takes a profile of an entry."""
    host = entry.component._host
    if host.is_remote:
        raise TypeError("a daemon measures for nobody: load the component with a hotcell.Cell, and profile it there")
    texts = {option: {name: _text(value) for name, value in given.items()} for option, given in how.items()}
    sweeps = [_sweep(name, sizes) for name, sizes in sweep.items()]
    native = entry.component._native
    text = _native.profile(host._native, native, entry._plan, entry.__name__, sweeps, **texts, **counts)  # type: ignore[arg-type]
    return Profile(text)


def _sweep(name: str, sizes: tuple[int, int] | Sequence[int]) -> str:
    if isinstance(sizes, tuple) and len(sizes) == 2:
        return f"{name}={int(sizes[0])}..{int(sizes[1])}"
    return f"{name}={','.join(str(int(size)) for size in sizes)}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _point(point: dict[str, Any]) -> Point:
    sample = point["sample"]
    of_sample = ("outcome", "fuel", "time_ns", "memory_bytes", "instances")
    return Point(point["purpose"], point["sizes"], point["recipe"], *(sample[name] for name in of_sample))


def _model(model: dict[str, Any]) -> Model:
    errors = model["held_out"]
    return Model(
        model["quantity"],
        model["text"],
        errors["max_percent"],
        errors["median_percent"],
        (model["band"][0], model["band"][1]),
        model["irregular"],
    )
