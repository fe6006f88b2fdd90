"""The snippet of docs/evaluation.md runs, and its tables agree with the evaluators."""

from __future__ import annotations

import pytest
from markdown import ROOT, blocks

from t2i_metrics.protocols import PROTOCOLS

PAGE = "docs/evaluation.md"


def test_the_snippet_prints_what_it_documents(capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = [block.code for block in blocks(PAGE) if block.language == "python"]
    exec(compile(snippet, PAGE, "exec"), {})
    said = [line.split("  # ")[-1].strip() for line in snippet.splitlines() if line.startswith("print")]
    assert capsys.readouterr().out.splitlines() == said


def test_every_protocol_is_described() -> None:
    rows = [line.strip("| ").split(" | ") for line in (ROOT / PAGE).read_text().splitlines() if line.startswith("| `")]
    described = {row[0].strip("`"): row[1:] for row in rows}
    for protocol in PROTOCOLS.values():
        resize, _, network, _ = described[protocol.name]
        assert f"to {protocol.side}," in resize
        assert network == "the same" or f"{protocol.dim:,} features" in network


def test_the_documented_numbers_of_pictures_are_those_required() -> None:
    from t2i.create import create_evaluator
    from t2i.errors import InvalidInputError

    page = (ROOT / PAGE).read_text()
    for name, need in {"kid": "3 of each", "is": "20 generated", "prdc": "6 of each"}.items():
        assert need in next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
        with pytest.raises(InvalidInputError, match=f"at least {need.split()[0]}"):
            create_evaluator(name).compute()
