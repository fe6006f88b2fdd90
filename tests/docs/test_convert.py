"""Runs docs/convert.md on small checkpoints in the official layouts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from markdown import blocks

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.official_stackgan import StageTwo, Tree, with_batch_statistics

PAGE = "docs/convert.md"


def test_its_commands_convert_and_its_snippet_draws(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    torch.save(with_batch_statistics(Tree(24, c=8, z=10, gf=8, blocks=1, scales=2)).state_dict(), "netG.pth")
    torch.save(with_batch_statistics(StageTwo(24, c=8, z=10, gf=8, blocks=1)).state_dict(), "netG_epoch_90.pth")
    commands, snippet = (block.code for block in blocks(PAGE))
    for line in commands.splitlines():
        result = t2i(*shlex.split(line)[1:])
        assert result.code == 0, result.err
    names: dict[str, Any] = {}
    exec(compile(snippet, PAGE, "exec"), names)
    side = names["birds"].resolution
    assert [picture.size for picture in names["pictures"]] == [(side, side)] * 4
