from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

__version__: str

class Memory:
    def __init__(self, dtype: str, shape: Sequence[int]) -> None: ...
    @property
    def address(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def dtype(self) -> str: ...
    @property
    def __array_interface__(self) -> dict[str, Any]: ...

class Component:
    def __init__(self, bytes: bytes) -> None: ...
    @staticmethod
    def read(path: str | PathLike[str]) -> Component: ...
    @property
    def digest(self) -> str: ...
    @property
    def bytes(self) -> bytes: ...

class Plan:
    def __init__(
        self,
        entry: str,
        limits: dict[str, str | float],
        *,
        metering: str | None = None,
        grants: Sequence[str] | None = None,
        seed: int | None = None,
        threads: int | None = None,
        split: bool = True,
        digests: bool = True,
        gpu_profile: bool = False,
        stop_grace: float | None = None,
        tenant: str | None = None,
    ) -> None: ...

class Ended:
    @property
    def kind(self) -> str: ...
    @property
    def exit_code(self) -> int: ...
    @property
    def blame(self) -> str | None: ...
    @property
    def message(self) -> str: ...
    @property
    def trace(self) -> list[str]: ...
    @property
    def partial(self) -> bool: ...
    @property
    def reproducible(self) -> bool: ...
    @property
    def breach(self) -> tuple[str, int, int] | None: ...
    @property
    def retry_after(self) -> float | None: ...
    @property
    def results(self) -> list[tuple[str, Memory]]: ...
    def report_json(self) -> str | None: ...

class Cell:
    def __init__(
        self,
        workers: str | PathLike[str],
        library: str | PathLike[str],
        *,
        policy: str | PathLike[str] | None = None,
        is_free: bool = False,
        tier: str | None = None,
        grants: Sequence[str] | None = None,
        gpu_device: str | None = None,
        cache: bool = True,
        on_problem: Callable[[str], object] | None = None,
    ) -> None: ...
    def describe(self, component: Component, tenant: str | None = None) -> str | Ended: ...

class Daemon:
    def __init__(self, path: str | PathLike[str]) -> None: ...
    @property
    def tenant(self) -> str | None: ...
    @property
    def caller(self) -> str: ...
    @property
    def host_name(self) -> str: ...
    def describe(self, component: Component, tenant: str | None = None) -> str | Ended: ...

Handed = tuple[str, str, tuple[int, ...], int, int, Any]
Scalar = tuple[str, str, Any]

def launch(
    host: Cell | Daemon,
    component: Component,
    plan: Plan,
    inputs: list[Handed],
    scalars: list[Scalar],
    dims: list[tuple[str, int]],
    is_main: bool,
    on_log: Callable[[str, str], object] | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> Ended: ...

class Started:
    def cancel(self) -> None: ...

def start(
    host: Cell | Daemon,
    component: Component,
    plan: Plan,
    inputs: list[Handed],
    scalars: list[Scalar],
    dims: list[tuple[str, int]],
    done: Callable[[Ended | None, BaseException | None], object],
    on_log: Callable[[str, str], object] | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> Started: ...

def after_fork() -> None: ...

def repeat(
    host: Cell | Daemon,
    component: Component,
    plan: Plan,
    inputs: list[Handed],
    scalars: list[Scalar],
    count: int,
) -> list[int]: ...
def before_fork() -> None: ...
