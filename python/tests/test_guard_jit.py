"""What compilers do in guarded processes: reports, records, and the policy that holds for guarded calls."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotcell
from conftest import TIER, needed


@pytest.fixture(scope="module")
def jax(cell: hotcell.Cell) -> Iterator[hotcell.Guarded]:
    needed("jax")
    with hotcell.guarded(host=cell, imports=["jax"], timeout=120, cpu_time=200) as guarded:
        yield guarded


@pytest.fixture(scope="module")
def taichi(cell: hotcell.Cell) -> Iterator[hotcell.Guarded]:
    needed("taichi")
    with hotcell.guarded(host=cell, imports=["taichi"], timeout=120, cpu_time=200, memory="3GiB") as guarded:
        yield guarded


def by_jax(x: np.ndarray) -> Any:
    import jax
    import jax.numpy as jnp

    @jax.jit
    def scaled(x: Any) -> Any:
        return jnp.sin(x) * 2

    return scaled(x)


def storm(count: int) -> int:
    import jax

    f = jax.jit(lambda x: x * 2)
    return sum(int(f(np.ones(n, "f4"))[0]) for n in range(1, count + 1))


def test_what_jax_compiles_is_in_the_report(jax: hotcell.Guarded) -> None:
    report = jax.run(by_jax, np.ones(5, "f4")).report
    found = [one for one in report["jit"] if one["function"] == "scaled"]
    assert len(found) == 1 and found[0]["system"] == "jax" and found[0]["ended"] is True
    assert found[0]["total_ns"] > 0 and found[0]["cpu_ns"] > 0 and found[0]["cache"] in ("none", "miss", "hit")
    assert report["usage"]["process"]["compile_cpu_ns"] > 0 and "process.compile_cpu_ns" in report["usage"]["claimed"]
    assert report["usage"]["process"]["compile_cpu_ns"] <= report["usage"]["cpu_ns"]
    # What is compiled already is not compiled again.
    def twice(x: np.ndarray) -> float:
        import jax

        if not hasattr(jax, "kept"):
            jax.kept = jax.jit(lambda x: x + 1)
        return float(jax.kept(x)[0])

    assert jax.run(twice, np.ones(3)).report["jit"] and not jax.run(twice, np.ones(3)).report.get("jit")


def test_what_does_not_compile_is_in_the_report_too(jax: hotcell.Guarded) -> None:
    def fails() -> Any:
        import jax
        import jax.numpy as jnp

        @jax.jit
        def broken(x: Any) -> Any:
            if x > 0:
                return x
            return -x

        return broken(jnp.ones(()))

    with pytest.raises(hotcell.KernelError, match="Tracer") as raised:
        jax.call(fails)
    assert "broken" in {one["function"] for one in raised.value.report.get("jit", [])}


def test_a_compilation_that_is_stopped_is_in_the_report(jax: hotcell.Guarded) -> None:
    def endless() -> Any:
        import jax
        import jax.numpy as jnp

        @jax.jit
        def unrolled(x: Any) -> Any:
            for n in range(100_000):
                x = jnp.sin(x) * n
            return x

        return unrolled(jnp.ones(10))

    jax.call(os.getpid)
    with pytest.raises(hotcell.Timeout) as raised:
        jax.options(timeout=2, stop_grace=0.2).call(endless)
    found = [one for one in raised.value.report.get("jit", []) if one["function"] == "unrolled"]
    assert found and found[0]["total_ns"] > 500_000_000


def test_a_storm_of_compilations_is_counted_and_bounded_and_raises_an_alert(jax: hotcell.Guarded) -> None:
    ended = jax.run(storm, 300)
    report = ended.report
    assert ended.value == 600 and 100 <= len(report["jit"]) <= 300 and all(len(one["function"]) <= 260 for one in report["jit"])
    assert len(json.dumps(report)) < 1 << 20 and report["usage"]["process"]["compile_cpu_ns"] > 0
    assert report.get("alerts"), "300 shapes of one function were compiled in one call"


def test_what_taichi_compiles_is_in_the_report(taichi: hotcell.Guarded) -> None:
    def compiles() -> int:
        import taichi as ti

        ti.init(arch=ti.cpu, offline_cache=False, log_level=ti.ERROR)
        field = ti.field(ti.i32, 16)

        @ti.kernel
        def fill():
            for n in field:
                field[n] += 2

        fill()
        fill()
        return int(field[7])

    ended = taichi.run(compiles)
    found = [one for one in ended.report["jit"] if one["function"] == "fill"]
    assert ended.value == 4 and len(found) == 1 and found[0]["system"] == "taichi" and found[0]["ended"] is True


def test_watching_does_not_change_what_programs_see(jax: hotcell.Guarded) -> None:
    def looks() -> tuple[int, bool]:
        import logging

        import jax

        jax.config.update("jax_log_compiles", True)
        try:
            jax.jit(lambda x: x + 3)(1)
        finally:
            jax.config.update("jax_log_compiles", False)
        return logging.getLogger("jax").level, True

    log = jax.run(looks)
    assert log.value[1] is True and any("ompil" in line["message"] for line in log.report.get("log", []))


# --- Policy ---


def under(folder: Path, text: str, **options: Any) -> hotcell.Cell:
    policy = folder / "hotcell.toml"
    policy.write_text(f'schema = 1\ntier = "{TIER}"\n{text}')
    policy.chmod(0o600)
    return hotcell.Cell(policy=policy, tier=TIER, **options)


def records() -> list[dict[str, Any]]:
    """The records of the tests' own state directory."""
    logs = sorted((Path(os.environ["XDG_STATE_HOME"]) / "hotcell" / "audit").glob("log-*/*.jsonl"))
    return [json.loads(line) for log in logs for line in log.read_text().splitlines()]


def test_guarded_calls_and_compilations_are_recorded(tmp_path: Path) -> None:
    needed("jax")
    host = under(tmp_path, '[audit]\nmode = "required"\nsync = "record"\n')
    with hotcell.guarded(host=host, imports=["jax"]) as guarded:
        guarded.call(by_jax, np.ones(6, "f4"))
        with pytest.raises(hotcell.KernelError):
            guarded.call(int, "x")
    found = [(one["api"]["operation"], one["unmapped"]["hotcell"]) for one in records()]
    ours = [(verb, own["phase"], own["entry"]) for verb, own in found if own.get("isolation") == "guarded"]
    at = ours.index(("guard", "begin", f"{__name__}.by_jax"))
    inside = ours[at : ours.index(("guard", "finish", f"{__name__}.by_jax"))]
    assert ("compile", "begin", "scaled") in inside and ("compile", "finish", "scaled") in inside
    assert ("guard", "begin", "builtins.int") in ours and ("guard", "finish", "builtins.int") in ours


def test_ceilings_hold_for_guarded_calls(tmp_path: Path) -> None:
    host = under(tmp_path, '[ceilings]\ntimeout_ns = "2s"\nprocess_memory_bytes = "300MiB"\n')
    with hotcell.guarded(host=host, profile="numpy") as guarded:
        assert guarded.call(len, [1]) == 1
        for limits in ({"timeout": 5}, {"memory": "1GiB"}):
            with pytest.raises(hotcell.Denied, match="ceiling"):
                guarded.options(**limits).call(len, [1])
        report = guarded.run(len, [1]).report
        assert report["limits"]["timeout_ns"]["value"] <= 2_000_000_000
        assert report["limits"]["process_memory_bytes"]["value"] <= 300 << 20


def test_budgets_hold_for_guarded_calls(tmp_path: Path) -> None:
    host = under(tmp_path, '[tenants.few]\nrunning = 4\n[tenants.few.budgets]\nlaunches = { size = 16, refill = 1, per = "60m" }\n')
    with hotcell.guarded(host=host, profile="numpy", tenant="few") as guarded:
        with pytest.raises(hotcell.BudgetExceeded) as raised:
            for _ in range(40):
                guarded.call(len, [1])
        assert raised.value.retry_after is None or raised.value.retry_after > 0
    with hotcell.guarded(host=host, profile="numpy", tenant="nobody-knows") as guarded:
        with pytest.raises(hotcell.Denied):
            guarded.call(len, [1])


def test_processor_time_of_guarded_calls_is_charged(tmp_path: Path) -> None:
    host = under(tmp_path, '[tenants.slow]\nrunning = 4\n[tenants.slow.budgets]\ncpu_ns = { size = "1s", refill = "1ms", per = "60m" }\n')

    def spin() -> None:
        while True:
            pass

    with hotcell.guarded(host=host, profile="numpy", tenant="slow", timeout=0.8) as guarded:
        with pytest.raises(hotcell.BudgetExceeded):
            for _ in range(6):
                try:
                    guarded.call(spin)
                except hotcell.Timeout:
                    continue


def test_a_policy_may_have_no_guarded_calls(tmp_path: Path) -> None:
    host = under(tmp_path, "guard = false\n")
    with hotcell.guarded(host=host, profile="numpy") as guarded, pytest.raises(hotcell.Denied, match="guard = false"):
        guarded.call(len, [1])
