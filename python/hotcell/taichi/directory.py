"""A working directory for what writes into it and cannot be told another place.

A thread of Linux's can have a directory of its own: then nobody else sees a change of it. What threads write that were there before has the
process's directory, which is another one for as long as it takes.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["run_in"]

#: ``CLONE_FS`` of ``unshare(2)``: a working directory, a root and a file mode mask of the thread's own.
_CLONE_FS = 0x200


def run_in(folder: str, work: Callable[[], object], *, alone: bool) -> None:
    """Do something in a working directory.

    Args:
        folder: The directory.
        work: What is done.
        alone: Whether one thread does all of it: then it is a thread with a directory of its own, where there can be such.
    """
    if alone and _has_own_directory():
        _thread().submit(_changed, folder, "/", work).result()
    else:
        _changed(folder, os.getcwd(), work)


def _changed(folder: str, after: str, work: Callable[[], object]) -> None:
    os.chdir(folder)
    try:
        work()
    finally:
        os.chdir(after)


@functools.cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="hotcell-taichi")


@functools.cache
def _has_own_directory() -> bool:
    """Whether the thread was given a directory of its own, which some containers do not allow."""
    return _thread().submit(_unshared).result()


def _unshared() -> bool:
    unshare = getattr(ctypes.CDLL(None), "unshare", None)
    return unshare is not None and unshare(_CLONE_FS) == 0
