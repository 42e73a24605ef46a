"""What becomes of optimised code, and where Taichi writes its own."""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

import pytest
from conftest import needed

from test_import_taichi import ti  # noqa: F401

#: Taichi warns of what it uses itself.
pytestmark = pytest.mark.filterwarnings("ignore")

#: Two of the three elements of vectors that lie one behind the other, and a third: the factor, the distance, and what lies between.
_LOOP = """
define void @f(ptr %x, ptr %out, i32 %n) {{
entry:
  br label %vector.body

vector.body:
  %index = phi i32 [ 0, %entry ], [ %index.next, %vector.body ]
  %vec.ind = phi <4 x i32> [ <i32 0, i32 1, i32 2, i32 3>, %entry ], [ %vec.ind.next, %vector.body ]
  %at = mul <4 x i32> %vec.ind, {distance}
{lanes}
{first}
{between}
{second}
{third}
  %s = fadd <4 x float> %a3, %b3
  %t = fadd <4 x float> %s, %c3
  store <4 x float> %t, ptr %out, align 4
  %index.next = add nuw i32 %index, 4
  %vec.ind.next = add <4 x i32> %vec.ind, {step}
  %more = icmp eq i32 %index.next, %n
  br i1 %more, label %out.block, label %vector.body

out.block:
  ret void
}}
"""


def _gather(name: str, offset: int) -> str:
    lines = []
    for lane in range(4):
        before = "poison" if lane == 0 else f"%{name}{lane - 1}"
        lines.append(f"  %{name}p{lane} = getelementptr i8, ptr %p{lane}, i32 {offset}")
        lines.append(f"  %{name}l{lane} = load float, ptr %{name}p{lane}, align 4")
        lines.append(f"  %{name}{lane} = insertelement <4 x float> {before}, float %{name}l{lane}, i64 {lane}")
    return "\n".join(lines)


def _loop(*, distance: int = 12, step: int = 4, offsets: tuple[int, int, int] = (0, 4, 8), between: str = "") -> str:
    lanes = "\n".join(
        f"  %i{lane} = extractelement <4 x i32> %at, i64 {lane}\n  %p{lane} = getelementptr i8, ptr %x, i32 %i{lane}" for lane in range(4)
    )
    first, second, third = (_gather(name, offset) for name, offset in zip("abc", offsets, strict=True))
    both = {"distance": distance, "step": step}
    constants = {name: f"<i32 {one}, i32 {one}, i32 {one}, i32 {one}>" for name, one in both.items()}
    return _LOOP.format(**constants, lanes=lanes, first=first, second=second, third=third, between=between)


def _wide_loads(text: str) -> int:
    from hotcell._importing import target
    from hotcell.taichi.gathers import with_wide_loads

    rewritten = with_wide_loads(text)
    target.llvm().parse_assembly(rewritten).verify()
    return len(re.findall(r"load <4 x float>", rewritten))


def test_vectors_one_behind_the_other_are_loaded_as_registers() -> None:
    needed("llvmlite")
    assert _wide_loads(_loop()) == 3
    assert _wide_loads(_loop(offsets=(8, 0, 4))) == 3


@pytest.mark.parametrize(
    "how",
    [
        {"distance": 16},
        {"offsets": (0, 4, 12)},
        {"step": 5, "distance": 11},
        {"between": "  store float 1.0, ptr %out, align 4"},
        {"between": "  call void @g()"},
    ],
)
def test_what_may_be_other_bytes_is_loaded_as_it_was(how: dict[str, Any]) -> None:
    needed("llvmlite")
    assert _wide_loads(_loop(**how) + "declare void @g()\n") == 0


def test_a_thread_with_a_directory_of_its_own_leaves_the_processs_alone(tmp_path: Any) -> None:
    from hotcell.taichi import directory

    seen = []
    here = os.getcwd()
    directory.run_in(str(tmp_path), lambda: seen.append((os.getcwd(), os.readlink("/proc/self/cwd"))), alone=True)
    own, process = seen[0]
    assert own == str(tmp_path) and os.getcwd() == here
    if directory._has_own_directory():
        assert process == here


def test_a_directory_is_changed_back_whatever_happens() -> None:
    from hotcell.taichi import directory

    here = os.getcwd()
    for alone in (False, True):
        with tempfile.TemporaryDirectory() as folder, pytest.raises(ZeroDivisionError):
            directory.run_in(folder, lambda: 1 // 0, alone=alone)
        assert os.getcwd() == here


_INVARIANT = """
define float @f(float %a, i32 %n) {{
entry:
{chain}
  br label %loop

loop:
  %i = phi i32 [ 0, %entry ], [ %next, %loop ]
  %s = phi float [ 0.0, %entry ], [ %t, %loop ]
  %t = fadd float %s, {used}
  %next = add i32 %i, 1
  %more = icmp ult i32 %next, %n
  br i1 %more, label %loop, label %out

out:
  %r = fmul float %t, %v9
  ret float %r
}}
"""


@pytest.mark.parametrize(("used", "kept"), [("%v9", "%v9"), ("%v2", None), ("%a", None)])
def test_what_takes_long_before_a_loop_is_kept(used: str, kept: str | None) -> None:
    needed("llvmlite")
    from hotcell._importing import target
    from hotcell.taichi.invariants import with_invariants_kept

    chain = "\n".join(f"  %v{index} = fmul float {f'%v{index - 1}' if index else '%a'}, %a" for index in range(10))
    text = _INVARIANT.format(chain=chain, used=used)
    rewritten = with_invariants_kept(text)
    target.llvm().parse_assembly(rewritten).verify()
    stored = re.findall(r"store volatile float (\S+),", rewritten)
    assert stored == ([] if kept is None else [kept])
    # What is behind the loop needs nothing.
    assert "fmul float %t, %v9" in rewritten
