"""Who launches: a cell of this process, or a daemon of this machine."""

from __future__ import annotations

import atexit
import os
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _native
from .errors import of_ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._component import Component

#: Where the wheel has the worker programs and the command.
PROGRAMS = Path(__file__).parent / "_programs"


class Host:
    """Who launches kernels. Both kinds give the same objects."""

    _native: Any
    #: Who is charged; ``None`` for who is by default.
    tenant: str | None = None
    #: Whether another process launches, which knows itself whom to charge.
    is_remote: bool = False

    def load(self, source: str | os.PathLike[str] | bytes) -> Component:
        """Load a component, to be launched here. As :func:`hotcell.load`."""
        from ._component import load

        return load(source, host=self)

    def _describe(self, component: _native.Component) -> str:
        described = self._native.describe(component, self.tenant)
        if isinstance(described, str):
            return described
        from ._launch import Ended

        raise of_ended(Ended(described))


class Cell(Host):
    """A cell of this process: it compiles components in confined processes, and runs kernels in others.

    Args:
        policy: The operator's policy: a file's path, ``None`` for the one that is found where policies are
            (``/etc/hotcell/hotcell.toml``, else ``hotcell/hotcell.toml`` in the user's configuration), or ``False`` for none.
            Where there is none, default limits hold, and nothing is recorded.
        tier: The least that the walls around workers must be: ``"full"``, ``"unprivileged"`` or ``"insecure"``. Default: what
            the policy requires, else ``"full"``. ``python -m hotcell doctor`` says what this machine gives.
        tenant: Who is charged. Default ``"local"``.
        grants: What kernels are granted that want it, besides ``log`` and ``control``: ``"clock"``, ``"random"``, ``"wasi"``,
            ``"gpu"``. Only without a policy, which says that itself.
        gpu_device: The device for kernels that are granted ``gpu``: ``"any"``, ``"software"`` or ``"nothing"``.
        cache: Whether compiled kernels are kept on disk, below ``$XDG_CACHE_HOME/hotcell``.

    Raises:
        PermissionError: Less is asked for than the policy requires.
        ValueError: The policy cannot be read as one.
        OSError: The worker programs or the cache cannot be used.
    """

    def __init__(
        self,
        *,
        policy: str | os.PathLike[str] | None | bool = None,
        tier: str | None = None,
        tenant: str | None = None,
        grants: Sequence[str] | None = None,
        gpu_device: str | None = None,
        cache: bool = True,
    ) -> None:
        if policy is True:
            raise TypeError("policy is a file's path, None for the one that is found, or False for none")
        if isinstance(grants, str):
            grants = [grants]
        self.tenant = tenant
        self._native = _native.Cell(
            PROGRAMS,
            str(_native.__file__),
            policy=None if policy is None or policy is False else os.fspath(policy),
            is_free=policy is False,
            tier=tier,
            grants=None if grants is None else list(grants),
            gpu_device=gpu_device,
            cache=cache,
            on_problem=_warn,
        )


class Daemon(Host):
    """A daemon of this machine, as ``hotcell serve`` starts it: :func:`hotcell.connect`.

    Args:
        path: The daemon's socket. Default: that of the user's own, else that of the machine's.

    Raises:
        ConnectionError: No daemon answers there.
        PermissionError: Its policy does not let this user in.
    """

    is_remote = True

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._native = _connected() if path is None else _native.Daemon(os.fspath(path))

    @property
    def charged(self) -> str | None:
        """The tenant that launches are charged to; ``None`` if the policy knows none for this user."""
        tenant: str | None = self._native.tenant
        return tenant

    def __repr__(self) -> str:
        return f"<hotcell.Daemon {self._native.host_name}, for {self._native.caller}>"


def connect(path: str | os.PathLike[str] | None = None) -> Daemon:
    """Connect to a daemon, which launches for this process under the machine's policy.

    Args:
        path: The daemon's socket. Default: where ``hotcell serve`` listens unless it is told otherwise.

    Raises:
        ConnectionError: No daemon answers there.
        PermissionError: Its policy does not let this user in.
    """
    return Daemon(path)


def _connected() -> _native.Daemon:
    """The daemon of the user, else that of the machine."""
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(own) and os.geteuid() != 0:
        try:
            return _native.Daemon(os.path.join(own, "hotcell", "hotcell.sock"))
        except ConnectionError:
            pass
    return _native.Daemon("/run/hotcell/hotcell.sock")


def _warn(problem: str) -> None:
    warnings.warn(f"hotcell: {problem}", RuntimeWarning, stacklevel=2)


_lock = threading.Lock()
_default: Cell | None = None


def default_cell() -> Cell:
    """The cell that :func:`hotcell.load` uses: made when it is first needed, one for each process."""
    global _default
    cell = _default
    if cell is not None:
        return cell
    with _lock:
        if _default is None:
            _default = Cell()
        return _default


class _Default(Host):
    """The default cell of whatever process asks: a fork's child has its own."""

    @property
    def _native(self) -> Any:
        return default_cell()._native


#: What components are loaded on where nobody says otherwise.
DEFAULT = _Default()


def _forget() -> None:
    """A child of a fork makes a cell of its own."""
    global _default, _lock
    _default = None
    _lock = threading.Lock()
    _native.main_thread_is(threading.get_ident())


def _close() -> None:
    global _default
    from ._guard import close_all

    close_all()
    _default = None


_native.main_thread_is(threading.main_thread().ident or 0)
os.register_at_fork(before=_native.before_fork, after_in_child=_forget)
atexit.register(_close)
