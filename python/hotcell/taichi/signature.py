"""The shapes of an entry in the manifest's notation: made of the arrays, or as the author gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .driver import Parameter
from .refusals import refused

__all__ = ["arranged"]

_GROUP = re.compile(r"\(([^()]*)\)")


def arranged(parameters: Sequence[Parameter], signature: str | None, kernel: Any) -> tuple[list[Parameter], str, list[str]]:
    """Parameters with their roles and extents as they are in the end.

    Args:
        parameters: Those of the entry. The role ``written`` is that of an array that is only written, which is ``output`` where the
            signature has it on the right alone, and else ``inout``.
        signature: What the author gives; ``None`` for each array's own extents.
        kernel: For refusals.

    Returns:
        The parameters, the signature's text, and its named dimensions in the order of their first appearance.
    """
    if signature is None:
        found = [parameter._replace(role="inout") if parameter.role == "written" else parameter for parameter in parameters]
    else:
        found = _given(parameters, signature, kernel)
    sides = [[p for p in found if p.role in roles] for roles in (("input", "inout"), ("inout", "output"))]
    text = "->".join(",".join(f"({','.join(map(str, p.dims))})" for p in side) for side in sides)
    dims = [dim for side in sides for p in side for dim in p.dims if isinstance(dim, str)]
    return found, text, list(dict.fromkeys(dims))


def _given(parameters: Sequence[Parameter], signature: str, kernel: Any) -> list[Parameter]:
    if signature.count("->") != 1:
        raise refused(f"the signature {signature!r} is none", kernel, advice="write it as in '(n),(n)->(n)'")
    left, right = (_GROUP.findall(side) for side in signature.split("->"))
    arrays = [parameter for parameter in parameters if parameter.role != "scalar"]
    written = [parameter for parameter in arrays if parameter.role == "written"]
    known = sum(parameter.role in ("input", "inout") for parameter in arrays)
    outputs = len(right) - sum(parameter.role in ("inout", "output") for parameter in arrays)
    # Those that are only written are all outputs, or all read too.
    spare = known + len(written) - len(left)
    if outputs != len(written) or spare not in (0, len(written)):
        raise refused(_mismatch(arrays, signature), kernel, advice="inputs and what is read and written stand left, what is written right")
    found = []
    reads, writes = iter(left), iter(right)
    for parameter in parameters:
        role = parameter.role
        if role == "written":
            role = "output" if spare else "inout"
        if role == "scalar":
            found.append(parameter)
            continue
        try:
            groups = [next(reads)] if role in ("input", "inout") else []
            groups += [next(writes)] if role in ("inout", "output") else []
        except StopIteration:
            raise refused(_mismatch(arrays, signature), kernel) from None
        dims = tuple(int(dim) if dim.isdigit() else dim for dim in groups[0].replace(" ", "").split(",") if dim)
        _check(parameter, dims, groups, kernel)
        found.append(parameter._replace(role=role, dims=dims))
    if next(reads, None) is not None or next(writes, None) is not None:
        raise refused(_mismatch(arrays, signature), kernel)
    return found


def _mismatch(arrays: Sequence[Parameter], signature: str) -> str:
    listed = ", ".join(f"{parameter.name} ({'only written' if parameter.role == 'written' else parameter.role})" for parameter in arrays)
    return f"the signature {signature!r} does not fit its arrays: {listed}"


def _check(parameter: Parameter, dims: tuple[str | int, ...], groups: Sequence[str], kernel: Any) -> None:
    if len(dims) != len(parameter.dims):
        raise refused(f"`{parameter.name}` has {len(parameter.dims)} dimensions, and the signature has ({groups[0]})", kernel)
    if len(groups) == 2 and groups[0].replace(" ", "") != groups[1].replace(" ", ""):
        raise refused(f"`{parameter.name}` is read and written, and the signature has ({groups[0]}) and ({groups[1]})", kernel)
    for dim, own in zip(dims, parameter.dims, strict=True):
        if isinstance(own, int) and dim != own:
            raise refused(f"an extent of `{parameter.name}` is {own}, and the signature has {dim}", kernel)
