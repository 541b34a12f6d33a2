"""`leftzmq web` as it is typed: what is refused before anything is served."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from leftzmq.cli.admin import main
from leftzmq.web.server import bind


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "peer.toml"
    file.write_text('[device]\nname = "a"\nstate = "state"\nlisten = "tcp://127.0.0.1:7700"\n')
    return file


def refused(capsys: pytest.CaptureFixture[str], config: Path, *words: str) -> tuple[int, str]:
    code = main(["web", "-c", str(config), *words])
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1, said
    return code, said.err


@pytest.mark.parametrize("host", ["192.168.1.7", "0.0.0.0", "::", "nas.lan", ""])
def test_another_host_than_loopback_needs_tls_or_a_proxy(
    capsys: pytest.CaptureFixture[str], config: Path, host: str
) -> None:
    code, said = refused(capsys, config, "--host", host)
    assert code == 2 and "others could read" in said and "--tls-cert" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_every_address_at_once_has_no_name_to_check(
    capsys: pytest.CaptureFixture[str], config: Path, host: str
) -> None:
    words = ("--host", host, "--tls-cert", "c", "--tls-key", "k")
    code, said = refused(capsys, config, *words)
    assert code == 2 and "no address that a browser can open" in said


@pytest.mark.parametrize("words", [("--tls-cert", "c"), ("--tls-key", "k")])
def test_a_certificate_without_its_key_is_refused(
    capsys: pytest.CaptureFixture[str], config: Path, words: tuple[str, str]
) -> None:
    code, said = refused(capsys, config, *words)
    assert code == 2 and "belong together" in said


@pytest.mark.parametrize("url", ["x", "ftp://a", "https://", "https://a/b", "https://a b"])
def test_a_proxy_is_named_by_its_address(
    capsys: pytest.CaptureFixture[str], config: Path, url: str
) -> None:
    code, said = refused(capsys, config, "--behind-proxy", url)
    assert code == 2 and "is no address of a proxy" in said


def test_tls_files_that_cannot_be_used_are_one_sentence(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    (tmp_path / "c").write_text("no certificate")
    words = ("--port", "0", "--tls-key", str(tmp_path / "c"), "--tls-cert")
    for file in (tmp_path / "c", tmp_path / "missing"):
        code, said = refused(capsys, config, *words, str(file))
        assert code == 2 and "name a certificate and its key" in said


def test_a_port_that_is_taken_is_said(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen(1)
        port = taken.getsockname()[1]
        code, said = refused(capsys, config, "--port", str(port))
    assert code == 1 and f"127.0.0.1:{port}: cannot be bound: Address already in use" in said


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_how_to_get_it(config: Path, package: str) -> None:
    """In a process of its own, which cannot import this package."""
    code = f"import sys; sys.modules[{package!r}] = None\n"
    code += "from leftzmq.cli.admin import main; raise SystemExit(main())"
    words = [sys.executable, "-c", code, "web", "-c", str(config)]
    found = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert found.returncode == 1 and "Traceback" not in found.stderr
    said = f"leftzmq: `leftzmq web` needs {package}, which is not installed"
    assert found.stderr == f"{said} (pip install 'leftzmq[web]')\n"


def test_no_other_command_imports_what_the_page_needs(config: Path) -> None:
    code = "import sys\nfrom leftzmq.cli.admin import main\nmain(['id', '-c', sys.argv[1]])\n"
    code += "loaded = {'starlette', 'uvicorn', 'asyncio', 'prometheus_client'} & set(sys.modules)\n"
    code += "raise SystemExit(f'loaded: {loaded}' if loaded else 0)"
    words = [sys.executable, "-c", code, str(config)]
    found = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert found.returncode == 0, found.stderr
