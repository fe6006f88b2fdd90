"""Runs docs/serving.md: its servers, what clients ask of them, its unit; and the commands of README's "Serve it"."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown import ROOT, blocks, commands, printed

from fakes.forked import ForkedCommand
from fakes.ports import free_port
from fakes.waiting import wait_until

PAGE = "docs/serving.md"


def started(command: list[str], port: int) -> ForkedCommand:
    """Run a command that serves, on this port in place of its own, until it says that it serves."""
    variables = dict(word.split("=", 1) for word in command if word.startswith("T2I_"))
    words = [word for word in command if not word.startswith(("T2I_", "uv", "run", "t2i"))]
    if "--port" in words:
        at = words.index("--port")
        del words[at : at + 2]
    program = ForkedCommand(*words, "--port", port, environment=variables)
    wait_until(lambda: "on http://" in program.err, program)
    assert program.poll() is None, program.err
    return program


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The first server of the page."""
    folder = tmp_path_factory.mktemp("serving")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("T2I_INDEX", str(folder / "index.sqlite"))
        serve = next(words for words in commands(PAGE) if words[0] == "t2i")
        with started(serve, found := free_port()):
            yield found


def curl(command: list[str], port: int) -> object:
    words = [word.replace("8000", str(port)) for word in command]
    return json.loads(subprocess.run([*words, "--silent", "--fail"], check=True, capture_output=True).stdout)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_every_request_of_the_page_and_of_the_readme_is_answered(port: int) -> None:
    asked = [words for page in (PAGE, "README.md") for words in commands(page) if words[0] == "curl"]
    assert len(asked) == 4
    drawn, listed, found, also = (curl(words, port) for words in asked)
    assert len(drawn["data"]) == len(also["data"]) == 1  # type: ignore[index]
    assert [model["id"] for model in listed["data"]] == ["stackgan-v2.world64", "cgan.world64"]  # type: ignore[index]
    assert found["data"][0]["prompt"] == "a red heart"  # type: ignore[index]


def test_every_snippet_prints_what_it_documents(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    first, streaming = (block.code for block in blocks(PAGE) if block.language == "python")
    exec(compile(first.replace("8000", str(port)), PAGE, "exec"), {})
    assert capsys.readouterr().out.strip() == printed(first)[0]
    assert Path("heart.png").read_bytes().startswith(b"\x89PNG")
    exec(compile(streaming.replace("8000", str(port)), PAGE, "exec"), {})
    stages = ["image_generation.partial_image"] * 2
    assert capsys.readouterr().out.split() == [*stages, "image_generation.completed"]


def test_the_other_servers_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    serving = [words for page in (PAGE, "README.md") for words in commands(page) if "serve" in words]
    assert len(serving) == 4
    for words in serving[1:]:
        with started(words, free_port()) as program:
            assert ("with keys" in program.err) == ("--host" in words)


def test_the_figures_of_the_limits_are_the_defaults() -> None:
    from t2i_server.settings import BODY_BYTES, BODY_SECONDS, CONNECTIONS, IDLE_SECONDS, PICTURE_BYTES, ServerSettings

    text, settings = (ROOT / PAGE).read_text(), ServerSettings()
    for option, value in {
        "queue": settings.queue,
        "per-key": settings.per_key,
        "per-request": settings.per_request,
        "deadline": f"{settings.deadline_seconds:g}",
        "memory": settings.memory_mib,
    }.items():
        assert re.search(rf"\| `--{option}` \| {value} ", text), option
    assert f"{BODY_BYTES // 1024} KiB" in text and f"{PICTURE_BYTES // 2**20} MiB" in text
    assert f"within {BODY_SECONDS:g} seconds" in text and f"after {IDLE_SECONDS:g} seconds" in text
    assert f"{CONNECTIONS}\nconnections" in text and f"`--wait-ms` ({settings.wait_ms:g} ms)" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_valid(tmp_path: Path) -> None:
    (unit,) = [block.code for block in blocks(PAGE) if block.language == "ini"]
    path = tmp_path / "t2i.service"
    path.write_text(unit.replace("/opt/t2i/bin/t2i", "/bin/true"))  # which exists
    checked = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
