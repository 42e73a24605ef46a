"""``hotcell guard``: whole programs, and the profiles for containers and services."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hotcell
from conftest import TIER

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hotcell", "guard", *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=120, **options)  # type: ignore[call-overload,no-any-return]


def guard(*program: str, options: tuple[str, ...] = (), **more: object) -> subprocess.CompletedProcess[str]:
    return run("--tier", TIER, *options, "--", sys.executable, *program, **more)


def test_a_program_has_its_arguments_its_input_and_its_exit_code(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\nprint(sys.argv[1:], input(), __name__, flush=True)\nprint('bad', file=sys.stderr)\nsys.exit(int(sys.argv[1]))\n"
    )
    ran = guard(str(program), "5", "--x", input="typed\n")
    assert ran.returncode == 5, ran.stderr
    assert ran.stdout == "['5', '--x'] typed __main__\n"
    assert "bad\n" in ran.stderr and "guarded isolation" in ran.stderr
    quiet = guard(str(program), "0", options=("--quiet",), input="typed\n")
    assert (quiet.returncode, quiet.stderr) == (0, "bad\n")


def test_code_and_modules_run_too() -> None:
    assert guard("-c", "import numpy as np, sys; print(np.ones(3).sum(), sys.argv)", "a").stdout == "3.0 ['-c', 'a']\n"
    assert "3.0" in guard("-c", "print(__name__ == '__main__' and 3.0)").stdout
    assert json.loads(guard("-m", "json.tool", input="{}").stdout) == {}


def test_an_exception_is_pythons_own_and_an_exit_code_of_its_own(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("def f():\n    raise ValueError('a word')\nf()\n")
    ran = guard(str(program))
    assert ran.returncode == 10
    assert f'File "{program}", line 2, in f' in ran.stderr and "ValueError: a word" in ran.stderr


@pytest.mark.parametrize(
    ("options", "code", "exit_code", "says"),
    [
        (("--timeout", "300ms"), "while True: pass", 13, "limit timeout_ns"),
        (("--cpu-time", "300ms"), "while True: pass", 13, "limit cpu_time_ns"),
        (("--memory", "200MiB"), "bytearray(1 << 30)", 14, "at most 200MiB allowed"),
        ((), "import socket; socket.socket()", 15, "`socket`"),
        ((), "import os; os.fork()", 19, "limit processes: 2 requested, at most 1 allowed"),
        ((), "import os; os.abort()", 11, "SIGABRT"),
    ],
)
def test_what_ends_a_program_has_words_and_the_exit_code_of_a_launch(
    options: tuple[str, ...], code: str, exit_code: int, says: str
) -> None:
    ran = guard("-c", code, options=options)
    assert ran.returncode == exit_code, ran.stderr
    assert says in ran.stderr.splitlines()[-1], ran.stderr


def test_files_are_there_once_they_are_granted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.txt").write_text("read")
    (tmp_path / "helper.py").write_text("word = 'helped'\n")
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "try:\n    import helper\n    print(helper.word)\nexcept ImportError:\n    print('alone')\n"
        "path = sys.argv[1]\n"
        "for mode in ('r', 'a'):\n"
        "    try:\n        open(path, mode).close()\n        print(mode)\n"
        "    except OSError as error:\n        print(type(error).__name__)\n"
        "open('own', 'w').write('x')\nprint(os.getcwd() == os.environ['HOME'])\n"
    )
    path = str(tmp_path / "data" / "x.txt")
    assert guard(str(program), path).stdout.split() == ["alone", "FileNotFoundError", "FileNotFoundError", "True"]
    read = guard(str(program), path, options=("--read", str(tmp_path)))
    assert read.stdout.split()[:2] == ["helped", "r"] and "a" not in read.stdout.split()
    written = guard(str(program), path, options=("--write", str(tmp_path / "data")))
    assert written.stdout.split() == ["alone", "r", "a", "True"]


def test_the_environment_is_empty_but_for_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "1")
    ran = guard("-c", "import os; print(sorted(os.environ))", options=("--env", "GIVEN=2"))
    names = ran.stdout
    assert "'GIVEN'" in names and "SECRET_KEY" not in names and "'PATH'" not in names


def test_the_report_says_what_it_took_and_behind_which_walls(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    program = tmp_path / "program.py"
    program.write_text("import numpy as np\nnp.ones(1 << 20).sum()\n")
    ran = guard(str(program), options=("--report", str(report), "--timeout", "30s"))
    assert ran.returncode == 0, ran.stderr
    told = json.loads(report.read_text())
    assert told["isolation"] == "guarded" and told["component"]["entry"] == "program.py"
    absent = [layer["layer"] for layer in told["walls"]["guarded"] if "absent" in layer["state"]]
    assert "write-xor-execute" in absent
    assert int(told["limits"]["timeout_ns"]["value"]) == 30_000_000_000
    again = subprocess.run([sys.executable, "-m", "hotcell", "report", str(report)], text=True, capture_output=True, timeout=60)
    assert again.returncode == 0, again.stderr


def test_an_interrupt_ends_it_and_the_report_is_written(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "hotcell", "guard", "--tier", TIER, "--report", str(report), "--", sys.executable, "-c"]
    code = "import time; print('up', flush=True); time.sleep(60)"
    running = subprocess.Popen([*command, code], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None and running.stdout.readline() == "up\n"
    running.send_signal(signal.SIGINT)
    _, words = running.communicate(timeout=30)
    assert running.returncode == 18, words
    assert json.loads(report.read_text())["outcome"]["kind"] == "cancelled"


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (("/nowhere/python", "-c", "pass"), "cannot be started"),
        ((sys.executable,), "would wait"),
        ((sys.executable, "/nowhere/x.py"), "/nowhere/x.py"),
        ((sys.executable, "-i"), "`-i`"),
        (("/bin/false", "-c", "pass"), "is no Python"),
    ],
)
def test_what_is_no_program_is_said_so(program: tuple[str, ...], says: str) -> None:
    ran = run("--", *program)
    assert ran.returncode == 2 and says in ran.stderr, ran.stderr


def test_a_policy_can_have_none_of_it(tmp_path: Path) -> None:
    policy = tmp_path / "hotcell.toml"
    policy.write_text(f'schema = 1\ntier = "{TIER}"\nguard = false\n[tenants.a]\nguard = true\n[tenants.b]\n')
    policy.chmod(0o600)
    for tenant, code in (("a", 0), ("b", 15)):
        ran = run("--policy", str(policy), "--tenant", tenant, "--", sys.executable, "-c", "print(1)")
        assert ran.returncode == code, ran.stderr
    cell = hotcell.Cell(policy=policy)
    with pytest.raises(hotcell.Denied, match="guard = false"):
        hotcell.guard(abs, host=cell, tenant="b", profile="numpy")(-1)


def test_the_containers_profile_holds_where_it_is_loaded(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text(run("--print-profile", "docker", "--profile", "jax", "--profile", "taichi").stdout)
    loader = [sys.executable, str(Path(__file__).parent / "seccomp_profile.py"), str(profile), sys.executable, "-c"]

    def loaded(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*loader, code], text=True, capture_output=True, timeout=120)

    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        if os.environ.get("HOTCELL_REQUIRE_ALL_TESTS"):
            pytest.fail(f"{header} is not there: install the C library's headers")
        pytest.skip("the numbers of system calls are not at hand")
    works = loaded(
        "import numpy as np, threading, tempfile, ctypes\n"
        "t = threading.Thread(target=print, args=(np.linalg.inv(np.eye(64)).sum(),)); t.start(); t.join()\n"
        "tempfile.TemporaryFile().write(b'x')"
    )
    assert works.stdout == "64.0\n", works.stderr
    for code in (
        "import socket; socket.socket()",
        "import os; os.fork()",
        "import ctypes; ctypes.CDLL(None).unshare(0x10000000) and 1/0",
        "import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0) and 1/0",
    ):
        assert loaded(code).returncode != 0, code


def test_the_services_lines_are_a_units(tmp_path: Path) -> None:
    lines = run("--print-profile", "systemd", "--profile", "jax").stdout
    assert "SystemCallFilter=" in lines and "MemoryDenyWriteExecute=no" in lines
    assert "MemoryDenyWriteExecute=yes" in run("--print-profile", "systemd", "--profile", "numpy").stdout
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        if os.environ.get("HOTCELL_REQUIRE_ALL_TESTS"):
            pytest.fail("systemd-analyze is not there: install systemd")
        pytest.skip("systemd-analyze is not there")
    unit = tmp_path / "kernels.service"
    unit.write_text(lines.replace("[Service]", "[Unit]\nDescription=kernels\n[Service]\nExecStart=/bin/true"))
    checked = subprocess.run([analyze, "verify", str(unit)], text=True, capture_output=True, timeout=60)
    about = [line for line in checked.stderr.splitlines() if str(unit) in line or "kernels.service" in line]
    assert not about, about


def test_the_doctor_finds_no_hole_in_a_guarded_interpreter() -> None:
    command = [sys.executable, "-m", "hotcell", "doctor", "--json", "--guard", sys.executable]
    ran = subprocess.run(command, text=True, capture_output=True, timeout=300)
    found = json.loads(ran.stdout)["guarded"]
    assert len(found["attacks"]) >= 200
    if found["tier"] == "full":
        assert [attack["name"] for attack in found["attacks"] if attack["succeeded"]] == []


def test_the_recipes_of_the_document_run(tmp_path: Path) -> None:
    """Every command of docs/guard.md, but for those of containers and of other people's files."""
    text = (ROOT / "docs/guard.md").read_text()
    commands = [line for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) for line in block.splitlines()]
    ours = [line.partition("  #")[0].strip() for line in commands if line.startswith("hotcell ")]
    assert len(ours) >= 6
    (tmp_path / "data").mkdir()
    (tmp_path / "train.py").write_text("print('trained')\n")
    programs = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    began = time.monotonic()
    for line in ours:
        line = line.replace("-- python", f"--tier {TIER} -- python").replace("/etc/systemd/system/kernels.service.d/", "")
        line = line.replace(".venv/bin/python", sys.executable).replace("doctor --guard", f"doctor --guard {sys.executable}", 1)
        line = line.replace(f"{sys.executable} {sys.executable}", sys.executable)
        ran = subprocess.run(
            line, shell=True, cwd=tmp_path, text=True, capture_output=True, timeout=300, env={**os.environ, "PATH": programs}
        )
        expected = (0, 1, 22) if " doctor " in line else (0,)
        assert ran.returncode in expected, (line, ran.stderr)
    assert time.monotonic() - began < 600
