"""Causal models of transformers: the contract, transformers' own greedy text, batches, and errors."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from t2i.create import create_language_model
from t2i.errors import InvalidInputError, SnapshotError
from t2i.language import LanguageModel, WritingOptions
from t2i.testing.language_models import LanguageModelSuite
from t2i_lm.sampling import choose_tokens
from t2i_lm.stopping import StopCutter

QUESTIONS = ["Hi.", "A longer question about a red heart, please.", "ü", "One more"]


@pytest.fixture(scope="module")
def model(tiny: Path) -> LanguageModel:
    return create_language_model(f"hf:{tiny}")


class TestTiny(LanguageModelSuite):
    @pytest.fixture
    def model(self, model: LanguageModel) -> LanguageModel:
        return model


def test_greedy_text_is_that_of_transformers(model: LanguageModel, tiny: Path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network, tokenizer = AutoModelForCausalLM.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    options = WritingOptions(max_tokens=24, temperature=0)
    for question, text in zip(QUESTIONS, model.write_all(QUESTIONS, [0] * 4, options), strict=True):
        chat = f"[user]{question}[assistant]"
        ids: Any = tokenizer(chat, add_special_tokens=False, return_tensors="pt")
        whole = network.generate(**ids, max_new_tokens=24, do_sample=False)[0, ids["input_ids"].shape[1] :]
        assert text == tokenizer.decode(whole, skip_special_tokens=True)


def test_texts_of_a_batch_are_those_written_alone(model: LanguageModel):
    options = WritingOptions(max_tokens=40, temperature=1.3, top_p=0.98)
    questions = [f"question {n} " * (n % 5 + 1) for n in range(20)]
    together = model.write_all(questions, range(20), options)
    alone = ["".join(model.write(question, seed, options)) for seed, question in enumerate(questions)]
    assert len(set(together)) > 15
    assert sum(one == other for one, other in zip(together, alone, strict=True)) >= 19  # rounding may change a token


def test_examples_are_earlier_turns(model: LanguageModel):
    options = WritingOptions(max_tokens=5, temperature=0, examples=(("a", "b"),))
    with_examples = model.write_all(["c"], [0], options)
    spelled = model.write_all(["a[assistant]b[user]c"], [0], options.model_copy(update={"examples": ()}))
    assert with_examples == spelled


def test_a_question_longer_than_the_model_reads_is_refused(model: LanguageModel):
    with pytest.raises(InvalidInputError, match="reads and writes at most 512 tokens"):
        model.write("x" * 600, 0)


FAULTS = ("no weights", "pickle", "cut", "no tokenizer", "remote code", "a tokenizer that panics", "a pipe")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_without_a_model_is_refused(tiny: Path, tmp_path: Path, fault: str):
    folder = tmp_path / "other"
    shutil.copytree(tiny, folder)
    weights, config = folder / "model.safetensors", folder / "config.json"
    if fault == "no weights":
        weights.unlink()
    elif fault == "pickle":
        weights.rename(folder / "pytorch_model.bin")
    elif fault == "cut":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif fault == "no tokenizer":
        (folder / "tokenizer.json").unlink()
    elif fault == "a tokenizer that panics":
        told = json.loads((folder / "tokenizer.json").read_text())
        told["post_processor"] = {"type": "TemplateProcessing", "special_tokens": {}}
        told["post_processor"]["single"] = [{"SpecialToken": {"id": "x", "type_id": 0}}]
        told["post_processor"]["pair"] = [{"Sequence": {"id": "A", "type_id": 0}}]
        (folder / "tokenizer.json").write_text(json.dumps(told))
    elif fault == "a pipe":
        (folder / "tokenizer.json").unlink()
        os.mkfifo(folder / "tokenizer.json")
    else:
        facts = json.loads(config.read_text()) | {
            "model_type": "evil",
            "auto_map": {"AutoModelForCausalLM": "evil.Evil"},
        }
        config.write_text(json.dumps(facts))
        (folder / "evil.py").write_text("raise SystemExit('code from a repository was run')")
    with pytest.raises(SnapshotError):
        create_language_model(f"hf:{folder}")


def test_a_chat_template_that_refuses_is_an_error_of_one_sentence(tiny: Path, tmp_path: Path):
    folder = Path(shutil.copytree(tiny, tmp_path / "other"))
    (template,) = folder.glob("*.jinja")
    template.write_text("{{ raise_exception('no users here') }}")
    with pytest.raises(SnapshotError, match=r"The chat template of .* cannot be used: no users here"):
        create_language_model(f"hf:{folder}").write("a heart", 0)


def test_sampling_follows_the_distribution_and_the_nucleus():
    probabilities = np.array([0.5, 0.3, 0.15, 0.05])
    logits = torch.tensor(np.log(probabilities), dtype=torch.float32)
    uniform = (torch.arange(1000) + 0.5) / 1000
    for top_p, expected in ((1.0, probabilities), (0.75, np.array([0.625, 0.375, 0, 0]))):
        tokens = choose_tokens(logits.expand(1000, 4), uniform, 1.0, top_p)
        shares = np.bincount(tokens.numpy(), minlength=4) / 1000
        assert np.abs(shares - expected).max() < 0.002
    flat = choose_tokens(logits.expand(1000, 4), uniform, 2.0, 1.0)
    expected = probabilities**0.5 / (probabilities**0.5).sum()
    assert np.abs(np.bincount(flat.numpy(), minlength=4) / 1000 - expected).max() < 0.002
    assert choose_tokens(logits[None], torch.tensor([0.99]), 0, 1.0).tolist() == [0]
    assert choose_tokens(logits[None], torch.tensor([0.9999999]), 1.0, 0.01).tolist() == [0]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("stop", [("END",), ("\n", "END"), ("ENDE", "E!"), ()])
def test_a_text_ends_before_the_first_stop_string_for_any_pieces(size: int, stop: tuple[str, ...]):
    text = "one EN two E END three\nENDE! four E"
    cutter = StopCutter(stop)
    pieces = [cutter.push(text[start : start + size]) for start in range(0, len(text), size)]
    expected = text[: min((place for each in stop if (place := text.find(each)) >= 0), default=len(text))]
    assert "".join(pieces) + cutter.finish() == expected
