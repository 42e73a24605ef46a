"""Objects that importers hand over: the manifest as the command reads it, and what is wrong in its words."""

from __future__ import annotations

import hotcell
import pytest
from conftest import needed
from hotcell._importing.finish import component_of, manifest_text

needed("llvmlite")

from hotcell._importing.target import object_of

ADD = """
define void @add(float %a, ptr %x, ptr %out, i32 %n) {
  %empty = icmp eq i32 %n, 0
  br i1 %empty, label %end, label %turn
turn:
  %i = phi i32 [ 0, %0 ], [ %next, %turn ]
  %from = getelementptr float, ptr %x, i32 %i
  %to = getelementptr float, ptr %out, i32 %i
  %value = load float, ptr %from
  %sum = fadd float %value, %a
  store float %sum, ptr %to
  %next = add i32 %i, 1
  %more = icmp ult i32 %next, %n
  br i1 %more, label %turn, label %end
end:
  ret void
}
"""

RECORDS = [
    {"name": "adds", "version": "1.0"},
    {
        "name": "add",
        "doc": 'Adds "a"\nto\tevery \x7f element: ≤ 1 \\ 2.',
        "signature": "(n)->(n)",
        "parameters": [
            {"name": "a", "role": "scalar", "dtype": "f32", "default": {"f32": 0.5}},
            {"name": "x", "role": "input", "dtype": "f32"},
            {"name": "out", "role": "output", "dtype": "f32"},
        ],
    },
]


def test_an_object_becomes_a_component_with_its_manifest(cell: hotcell.Cell) -> None:
    component = component_of(object_of(ADD, keep=["add"]), RECORDS)
    assert component == component_of(object_of(ADD, keep=["add"]), RECORDS)
    kernel = hotcell.load(component, host=cell)
    assert kernel.name == "adds" and kernel.version == "1.0"
    assert list(kernel(x=[1, 2])) == [1.5, 2.5]
    assert list(kernel(x=[1, 2], a=1)) == [2, 3]
    assert '"a"' in (kernel.add.__doc__ or "")


@pytest.mark.parametrize("metering", ["strict", "deterministic"])
def test_what_was_imported_is_under_limits_and_in_its_report(cell: hotcell.Cell, metering: str) -> None:
    kernel = hotcell.load(component_of(object_of(ADD, keep=["add"]), RECORDS), host=cell).add
    ended = kernel.options(metering=metering).run(x=[0.0] * 100_000)
    foretold = ended.report["foretold"]
    assert foretold["fuel_at_least"] <= ended.report["usage"]["fuel_used"] <= foretold["fuel_at_most"]
    with pytest.raises(hotcell.OutOfFuel):
        kernel.options(metering=metering, fuel=1000)(x=[0.0] * 100_000)
    with pytest.raises(hotcell.LimitReached):
        kernel.options(metering=metering, memory="1MiB")(x=[0.0] * 1_000_000)


def test_what_an_object_lacks_is_said_by_name() -> None:
    undefined = "declare float @far(float)\n" + ADD.replace("fadd float %value, %a", "call float @far(float %a)")
    with pytest.raises(hotcell.InvalidComponent, match="`far` is undefined"):
        component_of(object_of(undefined, keep=["add"]), RECORDS)
    with pytest.raises(hotcell.InvalidComponent, match="no function of that name; it defines `add`"):
        component_of(object_of(ADD, keep=["add"]), [RECORDS[0], {**RECORDS[1], "name": "sub"}])
    with pytest.raises(hotcell.InvalidComponent):
        component_of(b"\0asm\1\0\0\0", RECORDS)


def test_a_manifest_reads_as_it_was_written() -> None:
    tomllib = pytest.importorskip("tomllib")
    read = tomllib.loads(manifest_text(RECORDS[0], RECORDS[1:]))
    assert read["component"] == RECORDS[0]
    [kernel] = read["kernel"]
    assert kernel["doc"] == RECORDS[1]["doc"]
    assert [parameter.get("default") for parameter in kernel["parameters"]] == [0.5, None, None]
