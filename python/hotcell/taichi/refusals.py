"""What of Taichi is not imported, and what to do instead."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from hotcell.errors import ImportRefused

__all__ = ["line_of", "refused", "runtime_refused"]

#: By the beginning of a runtime function's name: what the author wrote, why it is not supported, what to do.
_RUNTIME = (
    ("LLVMRuntime_get_host_printf", "print", "a kernel has nowhere to print to", "write what you want to see into an array"),
    ("Pointer", "pointer SNode", "sparse fields are not supported", "place the field below dense SNodes"),
    ("Bitmasked", "bitmasked SNode", "sparse fields are not supported", "place the field below dense SNodes"),
    ("Dynamic", "dynamic SNode", "sparse fields are not supported", "keep a dense field and a counter"),
    ("Hash", "hash SNode", "sparse fields are not supported", "place the field below dense SNodes"),
    ("element_listgen", "loop over a sparse field", "sparse fields are not supported", "place the field below dense SNodes"),
    ("clear_list", "loop over a sparse field", "sparse fields are not supported", "place the field below dense SNodes"),
    ("parallel_struct_for", "loop over a sparse field", "sparse fields are not supported", "place the field below dense SNodes"),
    ("node_gc", "deactivation", "sparse fields are not supported", "place the field below dense SNodes"),
    ("cpu_parallel_range_for_backwards", "reversed loop", "parallel loops run forwards", "loop with ti.loop_config(serialize=True)"),
    ("cpu_parallel_mesh_for", "mesh loop", "meshes are not supported", "loop over arrays of indices"),
    ("insert_triplet", "sparse matrix builder", "they are built in Taichi's own memory", "fill arrays of rows, columns and values"),
    ("set_mask", "quantised field", "quantised types are not supported", "use a field of a whole type"),
    ("atomic_set_", "quantised field", "quantised types are not supported", "use a field of a whole type"),
    ("set_partial", "quantised field", "quantised types are not supported", "use a field of a whole type"),
    ("atomic_add_partial", "quantised field", "quantised types are not supported", "use a field of a whole type"),
    ("rounding_prepare", "quantised field", "quantised types are not supported", "use a field of a whole type"),
)  # fmt: skip


def line_of(kernel: Any, call: str | None = None) -> str:
    """The author's line: of the first call of a function in the kernel's text, or else of the kernel itself."""
    try:
        lines, first = inspect.getsourcelines(kernel.func)
        name = inspect.getsourcefile(kernel.func) or "?"
    except (OSError, TypeError):
        return ""
    at = first
    if call is not None:
        tree = ast.parse(textwrap.dedent("".join(lines)))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                said = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if said == call:
                    at = first + node.lineno - 1
                    break
    return f"{name}:{at}"


def refused(reason: str, kernel: Any, *, operation: str = "", dtype: str = "", advice: str = "", call: str | None = None) -> ImportRefused:
    """A refusal with the author's line."""
    return ImportRefused(reason, operation=operation, dtype=dtype, source=line_of(kernel, call), advice=advice)


def runtime_refused(function: str, kernel: Any) -> ImportRefused:
    """The refusal of a kernel that calls what of Taichi's runtime is not here."""
    for prefix, operation, reason, advice in _RUNTIME:
        if function.startswith(prefix):
            return refused(reason, kernel, operation=operation, advice=advice, call="print" if operation == "print" else None)
    return refused(f"Taichi's runtime function {function} is not supported", kernel, operation=function)
