"""LLVM IR as text to an optimised relocatable object for wasm32, by llvmlite.

The object is the same for the same text and the same llvmlite. Relaxed SIMD and reference types are left out: results do not depend on
the machine, and every host of the last years runs it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from hotcell.errors import ImportRefused

#: The target of every object.
TRIPLE = "wasm32-unknown-unknown"
#: What the code may use of WebAssembly beyond its first version.
FEATURES = "+simd128,+bulk-memory,+bulk-memory-opt,+sign-ext,+nontrapping-fptoint,+mutable-globals,+multivalue"


def llvm() -> Any:
    """llvmlite's bindings.

    Raises:
        ImportRefused: llvmlite is not installed.
    """
    try:
        import llvmlite.binding
    except ImportError as error:
        raise ImportRefused("importing needs llvmlite", advice="pip install llvmlite") from error
    return llvmlite.binding


@functools.lru_cache(maxsize=1)
def _machine() -> Any:
    binding = llvm()
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target = binding.Target.from_triple(TRIPLE)
    return target.create_target_machine(opt=3, features=FEATURES, reloc="static", codemodel="default")


def optimised(ir: str, *, keep: Sequence[str]) -> Any:
    """The module of the text, internalised but for ``keep``, and optimised for the target."""
    binding = llvm()
    machine = _machine()
    header = f'target datalayout = "{machine.target_data}"\ntarget triple = "{TRIPLE}"\n'
    module = binding.parse_assembly(header + ir)
    module.verify()
    for function in module.functions:
        if not function.is_declaration and function.name not in keep:
            function.linkage = "internal"
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    options.slp_vectorization = True
    options.loop_unrolling = True
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def object_of(ir: str, *, keep: Sequence[str]) -> bytes:
    """An optimised relocatable wasm32 object.

    Args:
        ir: LLVM IR without ``target`` lines.
        keep: The functions that others see; all others become internal.

    Returns:
        The object's bytes.

    Raises:
        ImportRefused: llvmlite is not installed.
        RuntimeError: The text is no valid IR.
    """
    emitted: bytes = _machine().emit_object(optimised(ir, keep=keep))
    return emitted
