"""All output goes through one printer: no control characters, no endless lines, any encoding."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from fakes.command_line import T2I
from fakes.distributions import FakeSite
from t2i.cli import console

EVIL = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e"


def harmless(text: str) -> bool:
    return not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c == "\u202e" for c in text)


def test_every_printing_function_escapes_control_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(console, "SECONDS_A_LINE", 0.0)
    console.say(EVIL + "x" * 100_000)
    console.warn(EVIL)
    assert console.fail(EVIL + "\nsecond line") == 2
    console.report(EVIL, "a row\nof two lines")
    console.report_json({EVIL: EVIL})
    console.table(["name", "what"], [[EVIL, "y" * 10_000], ["z" * 10_000, EVIL]])
    with console.progress(EVIL, 3) as advance:
        advance(2)
    with console.speaking():
        logging.getLogger("t2i.hub").warning(EVIL)
        warnings.warn(EVIL, stacklevel=1)
    said = capsys.readouterr()
    for stream in (said.out, said.err):
        assert stream and harmless(stream)
        assert max(map(len, stream.splitlines())) < 11_000
    assert "\\x1b]0;pwned\\x07\\x1b[2J\\x9b31m\\u202e: 2 of 3" in said.err
    assert "a row\\nof two lines" in said.out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_streams_of_any_encoding_accept_any_text(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    with console.speaking():
        console.report("一只猫 😺 caf\udce9")
    assert written.getvalue().decode(encoding).startswith("一只猫" if encoding == "utf-8" else "\\u4e00")


def test_a_plugin_message_cannot_control_the_terminal(t2i: T2I, site: FakeSite) -> None:
    site.install("bad", f"raise RuntimeError({EVIL!r} + 'x' * 100_000)")
    site.load_only("bad")
    for verb in ("doctor", "plugins", "models"):
        result = t2i(verb)
        assert harmless(result.out + result.err) and "bad" in result.out + result.err
        assert max(map(len, (result.out + result.err).splitlines())) < 2000


def test_a_name_on_the_command_line_cannot_control_the_terminal(t2i: T2I) -> None:
    for arguments in (("info", EVIL), (EVIL,), ("generate", "a", "--model", EVIL), ("generate", "a", f"--{EVIL}")):
        assert harmless(t2i(*arguments).error)


def test_a_name_too_long_for_the_disk_is_a_one_line_error(t2i: T2I) -> None:
    long = "x" * 5000
    for arguments in (
        ("generate", "a red heart", "--model", f"local-dir:{long}"),
        ("generate", "a red heart", "--prompts", long),
        ("data", "info", long),
        ("data", "info", f"./{long}/y"),
        ("train", "cgan", "--data", "x", "--out", "o", "--recipe", long),
        ("train", "--resume", long),
        ("regenerate", f"{long}.png"),
        ("evaluate", f"local-dir:{long}/y"),
    ):
        assert len(t2i(*arguments).error) < 2100, arguments


def test_special_files_are_refused_at_once(t2i: T2I, here: Path) -> None:
    import os

    os.mkfifo(here / "fifo.png")
    (here / "zero.png").symlink_to("/dev/zero")
    for name in ("fifo.png", "zero.png"):
        assert "not a regular file" in t2i("regenerate", name).error
        assert "not a regular file" in t2i("generate", "--prompts", name).error
        assert "not a regular file" in t2i("train", "cgan", "--data", "x", "--out", "o", "--config", name).error


def test_ctrl_c_during_an_import_exits_with_130(here: Path) -> None:
    program = "import t2i.cli.main as cli; cli.run = lambda arguments: exec('raise KeyboardInterrupt'); cli.main()"
    (here / "interrupted.py").write_text(program)
    assert subprocess.run([sys.executable, "-m", "interrupted"], cwd=here, capture_output=True).returncode == 130
