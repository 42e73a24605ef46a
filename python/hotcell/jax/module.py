"""A StableHLO module, read through jaxlib's MLIR bindings into operations of our own.

Calls are inlined, composites too but for those that the compiler knows by name. Attributes become Python's values. The author's line stays
with every operation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hotcell.errors import ImportRefused

from .types import FROM_MLIR, TensorType, is_complex, is_float, numpy_dtype

#: Composites on floats that are not replaced by their decomposition: the math library has them.
KNOWN_COMPOSITES = frozenset("chlo." + name for name in ["erf", "erfc", "erf_inv", "lgamma", "digamma", "sinh", "cosh", "tan", "asin", "acos", "atan", "asinh", "acosh", "atanh", "bessel_i1e", "next_after", "polygamma", "zeta"])  # fmt: skip
#: What old versions of jax, such as 0.6.2, write as calls, in the place of composites.
_AS_CALLS = {"mhlo.topk": "top_k", **{f"mhlo.{name.removeprefix('chlo.')}": name.removeprefix("chlo.") for name in KNOWN_COMPOSITES}}
#: Parts of the paths of files that are not the author's.
_NOT_THE_AUTHORS = ("/jax/_src/", "site-packages/jax/", "/hotcell/jax/")
#: Calls that go deeper than this are refused.
_DEEPEST = 200


@dataclass(eq=False)
class Value:
    """A value of the module: a tensor that an operation gives or a block takes."""

    type: TensorType
    op: Op | None = None


@dataclass(eq=False)
class Block:
    """Operations in order, with what the block takes and gives."""

    arguments: list[Value]
    ops: list[Op] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)


@dataclass(eq=False)
class Op:
    """An operation."""

    name: str
    operands: list[Value]
    results: list[Value]
    attributes: dict[str, Any]
    blocks: list[Block]
    locations: tuple[Any, ...]

    @property
    def source(self) -> str:
        """The author's line, as ``file.py:12``, of the operation or of the call that it is in; empty where the module does not say."""
        return next((found for found in map(source_of, map(str, self.locations)) if found), "")

    def refused(self, reason: str, advice: str = "") -> ImportRefused:
        """A refusal of this operation."""
        value = next(iter([*self.operands, *self.results]), None)
        dtype = value.type.dtype if value else ""
        return ImportRefused(reason, operation=self.name, dtype=dtype, source=self.source, advice=advice)

    def ints(self, name: str, default: list[int] | None = None) -> list[int]:
        """An attribute that is a list of whole numbers."""
        value = self.attributes.get(name, default)
        return [int(one) for one in np.asarray(value).ravel()] if value is not None else []

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(str(o.type) for o in self.operands)}) -> {', '.join(str(r.type) for r in self.results)}"


@dataclass(eq=False)
class Function:
    """The function to import; what argument names the module has."""

    block: Block
    argument_names: list[str]


def source_of(location: str) -> str:
    """The author's line in an MLIR location: the first file that is not jax's own."""
    for path, line in re.findall(r'"([^"\n]+)":(\d+):\d+', location):
        if not any(part in path for part in _NOT_THE_AUTHORS) and (path.endswith((".py", ".ipynb")) or "<" in path):
            return f"{path.rsplit('/', 1)[-1]}:{line}"
    return ""


def read(text: str | bytes) -> Function:
    """Read a module: MLIR text or bytecode, or a portable artifact of StableHLO.

    Raises:
        ImportRefused: It is no StableHLO module, or has something in it that cannot be read.
    """
    from jax._src.interpreters import mlir
    from jax._src.lib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    with mlir.make_ir_context() as context:
        try:
            if isinstance(text, bytes) and text[:4] == b"ML\xefR":
                module = stablehlo.deserialize_portable_artifact(context, text)
            else:
                module = ir.Module.parse(text)
        except Exception as error:
            lines = str(error).strip().splitlines()
            raise ImportRefused(
                f"this is no StableHLO module: {(lines[0] if lines else str(error)).rstrip(':')}", advice="export it with jax.export or as StableHLO text"
            ) from error
        return _Reader(module, ir).function()


class _Reader:
    def __init__(self, module: Any, ir: Any) -> None:
        self.ir = ir
        self.functions = {
            ir.StringAttr(op.operation.attributes["sym_name"]).value: op.operation
            for op in module.body.operations
            if op.operation.name == "func.func"
        }
        #: Where the functions are called that are being read.
        self.calls: list[Any] = []
        self.types: dict[str, TensorType] = {}

    def function(self) -> Function:
        name = "main" if "main" in self.functions else next(iter(self.functions), None)
        if name is None:
            raise ImportRefused("the module has no function", advice="give it a function `main`")
        body = self.functions[name].regions[0].blocks[0]
        arguments = [Value(self.type(argument.type)) for argument in body.arguments]
        block = Block(arguments)
        block.results = self.inline(body, list(arguments), {}, block.ops)
        return Function(block, [_argument_name(str(argument.location)) for argument in body.arguments])

    def type(self, of: Any, location: Any = "") -> TensorType:
        text = str(of)
        if text not in self.types:
            match = re.fullmatch(r"tensor<((?:(?:\d+|\?)x)*)([a-z0-9]+(?:<f\d+>)?)(?:, #stablehlo\.bounds<.*>)?>", text)
            if not match or match.group(2) not in FROM_MLIR:
                raise ImportRefused("the type is not one of a kernel's", dtype=text, source=source_of(str(location)), advice="convert it before")
            shape = tuple(None if part == "?" else int(part) for part in match.group(1).split("x") if part)
            self.types[text] = TensorType(FROM_MLIR[match.group(2)], shape)
        return self.types[text]

    def inline(self, body: Any, arguments: list[Value], outer: dict[Any, Value], into: list[Op]) -> list[Value]:
        """Reads a block's operations into a list; gives what the block returns."""
        env = dict(outer)
        env.update(zip(body.arguments, arguments, strict=True))
        for view in body.operations:
            operation = view.operation
            name = operation.name
            operands = [env[operand] for operand in operation.operands]
            if name in ("func.return", "stablehlo.return"):
                return operands
            called = self.called(operation, name)
            if called is not None:
                results = self.call(called, operands, operation, into)
            else:
                results = self.operation(operation, name, operands, env, into)
            env.update(zip(operation.results, results, strict=True))
        return []

    def called(self, operation: Any, name: str) -> str | None:
        ir = self.ir
        if name in ("func.call", "call"):
            return str(ir.FlatSymbolRefAttr(operation.attributes["callee"]).value)
        if name == "stablehlo.composite":
            known = ir.StringAttr(operation.attributes["name"]).value
            dtype = self.type(operation.operands[0].type).dtype if len(operation.operands) else ""
            if not (known in KNOWN_COMPOSITES and is_float(dtype)) and not (known == "chlo.top_k" and not is_complex(dtype)):
                return str(ir.FlatSymbolRefAttr(operation.attributes["decomposition"]).value)
        return None

    def call(self, name: str, operands: list[Value], operation: Any, into: list[Op]) -> list[Value]:
        if len(self.calls) > _DEEPEST:
            raise ImportRefused("functions call each other too deeply", operation=name, source=source_of(str(operation.location)))
        self.calls.append(operation.location)
        results = self.inline(self.functions[name].regions[0].blocks[0], operands, {}, into)
        self.calls.pop()
        return results

    def operation(self, operation: Any, name: str, operands: list[Value], env: dict[Any, Value], into: list[Op]) -> list[Value]:
        results = [Value(self.type(result.type, operation.location)) for result in operation.results]
        attributes = self.attributes(operation)
        short = name.split(".", 1)[-1]
        if name == "stablehlo.composite":
            short = attributes.pop("name").split(".", 1)[-1]
            attributes.update(attributes.pop("composite_attributes", None) or {})
        called = _AS_CALLS.get(attributes.get("call_target_name", ""))
        if called is not None:
            short = called
            attributes.update(attributes.pop("mhlo.attributes", None) or {})
        op = Op(short, operands, results, attributes, [], (operation.location, *reversed(self.calls)))
        for region in operation.regions:
            for body in region.blocks:
                block = Block([Value(self.type(argument.type)) for argument in body.arguments])
                block.results = self.inline(body, block.arguments, env, block.ops)
                op.blocks.append(block)
        if attributes.get("call_target_name") == "stablehlo.dynamic_reduce_window":
            # The body is a function; jax has no operation for it.
            op.name = "dynamic_reduce_window"
            body = self.functions[attributes["called_computations"][0]].regions[0].blocks[0]
            block = Block([Value(self.type(argument.type)) for argument in body.arguments])
            block.results = self.inline(body, block.arguments, {}, block.ops)
            op.blocks.append(block)
        for result in results:
            result.op = op
        into.append(op)
        return results

    def attributes(self, operation: Any) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for name in [one if isinstance(one, str) else one.name for one in operation.attributes]:
            if name.startswith("sdy.") or name in ("operand_layouts", "result_layouts", "output_operand_aliases"):
                continue
            if name == "value" and operation.name == "stablehlo.constant":
                read[name] = self.constant(operation)
            else:
                read[name] = _python(operation.attributes[name], self.ir)
        return read

    def constant(self, operation: Any) -> np.ndarray[Any, Any]:
        kind = self.type(operation.results[0].type, operation.location)
        dtype = numpy_dtype(kind.dtype)
        # The bindings know no class for complex elements, and to ask them for it ends the process where they are old.
        if kind.dtype not in ("bf16", "complex64", "complex128", "f16"):
            return np.array(operation.attributes["value"]).astype(dtype, copy=False).reshape(kind.shape)
        text = str(operation)
        return _filled(_dense(text[text.index("dense<") + 6 :], dtype), kind.shape)


def _filled(elements: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if elements.size == 1:
        return np.full(shape, elements.reshape(-1)[0], elements.dtype)
    return elements.reshape(shape)


def _dense(text: str, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Elements as MLIR prints them: a list, or all bytes as one hexadecimal text."""
    whole = re.match(r'"0x([0-9A-Fa-f]*)"', text)
    if whole:
        return np.frombuffer(bytes.fromhex(whole.group(1)), dtype)
    text = text[: text.index("> :")]
    numbers = [_number(token, dtype) for token in re.findall(r"0x[0-9A-Fa-f]+|[-+]?[0-9.]+(?:[eE][-+]?\d+)?", text)]
    if dtype.kind == "c":
        return np.array([complex(re_, im) for re_, im in zip(numbers[::2], numbers[1::2], strict=True)], dtype)
    return np.array(numbers).astype(dtype)


def _number(token: str, dtype: np.dtype[Any]) -> float:
    if not token.startswith("0x"):
        return float(token)
    if dtype.kind == "c":
        width = dtype.itemsize // 2
        return float(np.array(int(token, 16), f"u{width}").view(f"f{width}"))
    return float(np.array(int(token, 16), f"u{dtype.itemsize}").view(dtype))


def _python(attribute: Any, ir: Any) -> Any:
    """An attribute as a value of Python's."""
    if isinstance(attribute, (ir.IntegerAttr, ir.FloatAttr, ir.BoolAttr, ir.StringAttr, ir.FlatSymbolRefAttr)):
        return attribute.value
    if isinstance(attribute, (ir.DenseI64ArrayAttr, ir.DenseBoolArrayAttr)):
        return list(attribute)
    if isinstance(attribute, ir.DenseIntElementsAttr):
        return np.array(attribute)
    if isinstance(attribute, ir.DictAttr):
        return {one.name if not isinstance(one, str) else one: _python(attribute[one if isinstance(one, str) else one.name], ir) for one in attribute}
    if isinstance(attribute, ir.ArrayAttr):
        return [_python(one, ir) for one in attribute]
    text = str(attribute)
    enumerated = re.fullmatch(r"#(?:stablehlo|chlo)<\w+ (\w+)>", text)
    if enumerated:
        return enumerated.group(1)
    if text.startswith("#stablehlo.conv<"):
        return text[len("#stablehlo.conv<") : -1]
    if text.startswith("#stablehlo."):
        return dict(_numbers(text))
    return text


def _numbers(text: str) -> Iterator[tuple[str, Any]]:
    """The fields of a structured attribute: lists of numbers and numbers."""
    for name, many, one in re.findall(r"(\w+) = (?:\[([^\]]*)\]|(-?\d+))", text):
        yield name, int(one) if one else [int(part) for part in many.split(",") if part.strip()]


def _argument_name(location: str) -> str:
    match = re.match(r'loc\("([^"]*)"', location)
    return match.group(1) if match else ""
