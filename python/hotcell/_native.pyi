from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import numpy as np

__version__: str

class Memory:
    def __init__(self, dtype: str, shape: Sequence[int]) -> None: ...
    @property
    def dtype(self) -> str: ...
    def array(self) -> np.ndarray[Any, Any]: ...

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

class Kernel:
    def __init__(
        self,
        name: str,
        signature: str,
        parameters: Sequence[tuple[str, str, str, str, bool]],
        positional: int,
        outputs: Sequence[str],
        many: Callable[..., Any] | None,
    ) -> None: ...

class Entry:
    def __init__(
        self,
        host: object,
        component: Component,
        kernel: Kernel,
        plan: Plan,
        on_log: Callable[[str, str], object] | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> None: ...
    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ended: ...
    def start(
        self,
        done: Callable[[Ended | None, BaseException | None], object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Started: ...
    def repeat(self, count: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[int]: ...

class Started:
    def cancel(self) -> None: ...

class Guard:
    def __init__(
        self,
        cell: Cell,
        interpreter: str,
        arguments: Sequence[str],
        *,
        profiles: Sequence[str],
        read: Sequence[str],
        write: Sequence[str],
        setup: str,
        tenant: str | None = None,
        spare: bool = False,
    ) -> None: ...
    def call(self, plan: GuardPlan, called: Any) -> GuardReturn: ...
    def start(
        self,
        done: Callable[[GuardReturn | None, BaseException | None], object],
        plan: GuardPlan,
        called: Any,
    ) -> Started: ...
    def warm(self) -> None: ...
    def renew(self) -> None: ...
    def close(self) -> None: ...

class GuardPlan:
    def __init__(
        self,
        limits: dict[str, Any],
        *,
        stop_grace: float | None = None,
        on_log: Callable[[str, str], object] | None = None,
    ) -> None: ...

class GuardReturn:
    ended: Ended
    text: str | None
    memory: Memory | None
    arrays: list[tuple[str, list[int], int]]
    traceback: str

def guarded_begin() -> tuple[str, str]: ...
def guarded_ready(failure: str | None = None) -> None: ...
def guarded_receive() -> tuple[int, bytes | None, int, int, int, int, list[tuple[int, int, int]]] | None: ...
def guarded_memory(id: int, bytes: int) -> int | None: ...
def guarded_returned(id: int, inline: bytes | None, value_bytes: int, arrays: list[tuple[str, list[int], int]]) -> None: ...
def guarded_raised(id: int, kind: str, message: str, traceback: str, requested: int | None = None) -> None: ...
def guarded_jit(event: str) -> None: ...
def picture(dtype: str, array: np.ndarray[Any, Any]) -> bytes | None: ...
def before_fork() -> None: ...
def main_thread_is(ident: int) -> None: ...
def profile(
    cell: Cell,
    component: Component,
    plan: Plan,
    entry: str,
    sweeps: list[str],
    *,
    dims: dict[str, str],
    scalars: dict[str, str],
    fills: dict[str, str],
    seed: int,
    repeats: int,
    search: int,
    honest: int,
) -> str: ...
def profile_page(profile: str, margin: float) -> str: ...
def profile_policy(profile: str, margin: float) -> str: ...
