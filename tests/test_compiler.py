"""explorer.compiler: tinygrad's CPU device finds a compiler wherever one can be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.errors import UserError
from explorer.training import compiler

PROJECT = Path(__file__).resolve().parent.parent
COMPUTE = """
from explorer.training.compiler import ensure_compiler
path = ensure_compiler()
from tinygrad import Tensor
print((Tensor([1.0, 2.0, 3.0]) * 2 + 1).tolist(), path)
"""
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX shell scripts")


def script(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def bare_environment(**more: str) -> dict[str, str]:
    """This environment without CC, without a clang on PATH, and with nothing else that steers tinygrad."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP", "TMP") if name in os.environ}
    folders = os.environ.get("PATH", "").split(os.pathsep)
    clangless = [folder for folder in folders if not list(Path(folder).glob("clang*"))]
    return {**kept, "PATH": os.pathsep.join(clangless), "PYTHONPATH": str(PROJECT), "DEV": "CPU", **more}


def compute(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", COMPUTE], env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and neither CC nor anything on PATH."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("CC", "")
    return tmp_path / "cache"


@pytest.fixture
def zig_clang(tmp_path: Path) -> str:
    """A real clang, to be named or found."""
    zig = compiler._zig()
    if zig is None:
        pytest.skip("the ziglang package is not installed")
    (tmp_path / "bin").mkdir()
    return str(compiler._write_launcher(zig, tmp_path / "bin"))


def test_without_any_compiler_the_packaged_clang_serves_from_a_cache_with_spaces_and_quotes(tmp_path: Path) -> None:
    if compiler._zig() is None:
        pytest.skip("the ziglang package is not installed")
    home = tmp_path / 'it\'s a "cache" $HOME'
    done = compute(bare_environment(XDG_CACHE_HOME=str(home), HOME=str(home), LOCALAPPDATA=str(home)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[3.0, 5.0, 7.0]")
    assert "clang-" in done.stdout


@posix_only
def test_a_home_that_cannot_be_written_is_no_obstacle_and_leaves_nothing_behind(tmp_path: Path) -> None:
    if compiler._zig() is None:
        pytest.skip("the ziglang package is not installed")
    (tmp_path / "home").write_text("a file, so that nobody, not even root, can make a folder in it")
    (tmp_path / "temporary").mkdir()
    done = compute(bare_environment(HOME=str(tmp_path / "home"), TMPDIR=str(tmp_path / "temporary")))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[3.0, 5.0, 7.0]")
    assert str(tmp_path / "temporary") in done.stdout
    assert list((tmp_path / "temporary").glob("mnist-explorer-*")) == []


def test_an_existing_cc_wins_and_is_left_as_it_is(cache: Path, zig_clang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", zig_clang)
    assert compiler.ensure_compiler() == zig_clang
    assert os.environ["CC"] == zig_clang


@posix_only
def test_a_clang_on_path_wins_over_the_packaged_one(
    cache: Path, zig_clang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "path" / "clang", f"exec '{zig_clang}' \"$@\"")
    assert compiler.ensure_compiler() == "clang"
    assert "CC" not in os.environ


@posix_only
def test_a_clang_on_path_that_does_not_compile_is_passed_over(
    cache: Path, zig_clang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "path" / "clang", "echo install the developer tools first >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    path = compiler.ensure_compiler()
    assert Path(path).parent == cache / "mnist-explorer" / "bin"
    assert os.environ["CC"] == path


@pytest.mark.parametrize("value", ["no-such-compiler", "ccache clang"])
def test_a_cc_that_is_no_executable_is_told_in_one_line(
    cache: Path, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", value)
    with pytest.raises(UserError, match=f"CC={value} is not an executable: unset CC") as caught:
        compiler.ensure_compiler()
    assert "\n" not in str(caught.value)


@posix_only
def test_a_cc_that_is_no_clang_is_told_in_one_line(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gcc = script(tmp_path / "gcc", "echo unrecognized option --target >&2; exit 1")
    monkeypatch.setenv("CC", gcc)
    with pytest.raises(UserError, match=r"cannot compile what tinygrad writes.*unset CC or set CC=clang") as caught:
        compiler.ensure_compiler()
    assert "\n" not in str(caught.value)


@posix_only
def test_a_compiler_proves_itself_once_and_again_after_it_changed(
    cache: Path, zig_clang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    monkeypatch.setenv("CC", script(tmp_path / "cc", f"echo called >> '{calls}'\nexec '{zig_clang}' \"$@\""))
    compiler.ensure_compiler()
    compiler.ensure_compiler()
    assert calls.read_text() == "called\n"
    script(tmp_path / "cc", "exit 1")
    with pytest.raises(UserError, match="cannot compile"):
        compiler.ensure_compiler()


def test_without_any_compiler_and_without_the_package_the_remedies_are_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, "_zig", lambda: None)
    with pytest.raises(UserError, match=r"install clang, or the ziglang package.*pip install -r requirements.txt"):
        compiler.ensure_compiler()


def test_each_environment_has_its_own_launcher_and_leaves_an_equal_one_alone(cache: Path, tmp_path: Path) -> None:
    first = compiler._write_launcher(Path("/one venv/zig"), tmp_path)
    second = compiler._write_launcher(Path("/another/zig"), tmp_path)
    assert first != second
    written = first.stat().st_mtime_ns
    assert compiler._write_launcher(Path("/one venv/zig"), tmp_path) == first
    assert first.stat().st_mtime_ns == written
    assert sorted(tmp_path.glob("*clang*")) == sorted([first, second])


@posix_only
def test_the_launcher_hands_every_argument_on_through_an_awkward_path(tmp_path: Path) -> None:
    zig = script(tmp_path / 'it\'s "odd" $PATH' / "zig", 'for argument; do echo "<$argument>"; done')
    launcher = compiler._write_launcher(Path(zig), tmp_path)
    done = subprocess.run([launcher, "-c", "a b", "$HOME", ""], capture_output=True, text=True, check=True)
    assert done.stdout == "<clang>\n<-c>\n<a b>\n<$HOME>\n<>\n"


def test_the_proof_uses_the_arguments_tinygrad_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    import platform

    from tinygrad.runtime.support import compiler_cpu

    seen: list[list[str]] = []

    def note(arguments: list[str], **_: object) -> bytes:
        seen.append(arguments)
        return b"\x7fELF"

    monkeypatch.setattr(compiler_cpu.subprocess, "check_output", note)
    # tinygrad's own getenv remembers what it once read: this test must not fix CC for those after it.
    monkeypatch.setattr(compiler_cpu, "getenv", lambda name, default: default)
    machine = platform.machine().lower()
    architecture = {"amd64": "x86_64", "aarch64": "arm64"}.get(machine, machine)
    compiler_cpu.ClangCompiler([architecture, "native"]).compile("int f;")
    assert [arguments[1:] for arguments in seen] == [compiler._arguments()]
