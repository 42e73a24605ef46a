"""Optimised code with wide loads, and with its innermost loops unrolled: a turn of a loop is metered, whatever is done in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .._importing import target
from .gathers import with_wide_loads
from .invariants import with_invariants_kept

__all__ = ["object_of"]

#: How many turns become one, and of how many instructions they may be together.
_TURNS, _MOST_INSTRUCTIONS = 4, 400
_BLOCK = re.compile(r"^([-\w.$]+):.*?(?=^[-\w.$]+:|^\})", re.MULTILINE | re.DOTALL)
_BRANCH = re.compile(r"^  br i1 [^\n]*$", re.MULTILINE)
_METADATA = re.compile(r"^!(\d+) = ", re.MULTILINE)


def object_of(ir: str, *, keep: Sequence[str]) -> bytes:
    """An optimised relocatable wasm32 object, as :func:`hotcell._importing.target.object_of` makes it, with loops unrolled.

    Args:
        ir: LLVM IR without ``target`` lines.
        keep: The functions that others see.
    """
    binding = target.llvm()
    module = _with_wide_loads(target.optimised(ir, keep=keep))
    text = _marked(str(module))
    if text is not None:
        module = binding.parse_assembly(text)
        module.verify()
        passes = binding.create_new_function_pass_manager()
        passes.add_loop_unroll_pass()
        passes.add_simplify_cfg_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
        _run(passes, module)
    before = str(module)
    text = with_invariants_kept(before)
    if text != before:
        module = binding.parse_assembly(text)
        module.verify()
    emitted: bytes = target._machine().emit_object(module)
    return emitted


def _with_wide_loads(module: Any) -> Any:
    """The module with :func:`with_wide_loads` done, and what that left over removed."""
    before = str(module)
    text = with_wide_loads(before)
    if text == before:
        return module
    binding = target.llvm()
    module = binding.parse_assembly(text)
    module.verify()
    passes = binding.create_new_function_pass_manager()
    passes.add_instruction_combine_pass()
    _run(passes, module)
    return module


def _run(passes: Any, module: Any) -> None:
    """Run passes over each function."""
    binding = target.llvm()
    builder = binding.create_pass_builder(target._machine(), binding.create_pipeline_tuning_options(speed_level=3))
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)


def _marked(text: str) -> str | None:
    """The text with a note at each loop of one block that says how often to unroll it; ``None`` where there is none."""
    first = max((int(number) for number in _METADATA.findall(text)), default=-1) + 1
    notes: list[str] = []

    def marked(found: re.Match[str]) -> str:
        block, label = found.group(), found.group(1)
        branch = None
        for branch in _BRANCH.finditer(block):
            pass
        turns = min(_TURNS, _MOST_INSTRUCTIONS // max(block.count("\n"), 1))
        if branch is None or not re.search(rf"label %{re.escape(label)}(?![-\w.$])", branch.group()) or turns < 2:
            return block
        number = first + 2 * len(notes)
        notes.append(f'!{number} = distinct !{{!{number}, !{number + 1}}}\n!{number + 1} = !{{!"llvm.loop.unroll.count", i32 {turns}}}\n')
        line = re.sub(r", !llvm\.loop !\d+", "", branch.group())
        return f"{block[: branch.start()]}{line}, !llvm.loop !{number}{block[branch.end() :]}"

    text = _BLOCK.sub(marked, text)
    return text + "\n" + "".join(notes) if notes else None
