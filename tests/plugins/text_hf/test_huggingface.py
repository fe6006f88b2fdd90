"""`hf:` encoders against the models that they load: tiny ones made here and saved by transformers."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from t2i.errors import InvalidInputError, OfflineError, SnapshotError
from t2i.files import sha256_of
from t2i_text_hf.huggingface import HuggingFaceEncoder
from t2i_text_hf.pieces import found_in
from t2i_text_hf.weights import minilm_file

transformers = pytest.importorskip("transformers")

CAPTIONS = ["a red heart", "dog", "a woman firefighter with dark skin", "cat"]
SIZES = {"num_attention_heads": 4, "vocab_size": 30522}
TEXT = SIZES | {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64}


def bert():
    model = transformers.BertModel(transformers.BertConfig(**TEXT))
    return model, model


def clip():
    vision = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "image_size": 32}
    vision |= {"patch_size": 8, "intermediate_size": 64}
    text = TEXT | {"max_position_embeddings": 77, "bos_token_id": 101, "eos_token_id": 102}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    model = transformers.CLIPModel(config)
    return model, model.text_model


def t5():
    config = transformers.T5Config(d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=30522)
    model = transformers.T5Model(config)
    return model, model.encoder


def saved(model, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_file("tokenizer.json").parent)
    tokenizer.model_max_length = 77
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("make", [bert, clip, t5])
def test_words_are_the_text_towers_and_the_sentence_their_mean(make, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, tower = make()
    encoder = HuggingFaceEncoder(str(saved(model, tmp_path / "model")))
    text = encoder.encode(CAPTIONS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    for row, caption in enumerate(CAPTIONS):
        ids = tokenizer(caption, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            words = tower.eval()(input_ids=ids).last_hidden_state[0]
        torch.testing.assert_close(text.words[row][text.mask[row]], words, atol=1e-5, rtol=0)
        torch.testing.assert_close(text.sentence[row], words.mean(0), atol=1e-5, rtol=0)
    assert encoder.max_words == 77
    assert encoder.identity.dim == 32
    assert encoder.identity.sha256 == sha256_of(tmp_path / "model" / "model.safetensors")
    assert not any(weight.requires_grad for weight in encoder._network.parameters())


def test_a_copy_encodes_the_same(tmp_path: Path) -> None:
    encoder = HuggingFaceEncoder(str(saved(bert()[0], tmp_path / "model")))
    text = encoder.encode(CAPTIONS)
    for again in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        assert torch.equal(again.encode(CAPTIONS).words, text.words) and again.identity == encoder.identity


def test_an_embedding_does_not_depend_on_its_neighbours(tmp_path: Path) -> None:
    encoder = HuggingFaceEncoder(str(saved(bert()[0], tmp_path / "model")))
    whole = encoder.encode(CAPTIONS)
    for row, caption in enumerate(CAPTIONS):
        encoder._batcher.forget()
        alone = encoder.encode([caption])
        assert torch.equal(alone.sentence[0], whole.sentence[row])
        assert torch.equal(alone.words[0], whole.words[row][whole.mask[row]])


def test_pickles_are_never_read(tmp_path: Path) -> None:
    model = bert()[0]
    folder = saved(model, tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(SnapshotError, match="pickled weights are never read"):
        HuggingFaceEncoder(str(folder))


def test_missing_weights_are_not_initialised_at_random(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = saved(bert()[0], tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    dropped = next(name for name in tensors if "query.weight" in name)
    save_file({name: t for name, t in tensors.items() if name != dropped}, folder / "model.safetensors")
    with pytest.raises(SnapshotError, match="lacks 1 weights"):
        HuggingFaceEncoder(str(folder))


def test_a_folder_without_a_config_is_not_an_encoder(tmp_path: Path) -> None:
    shutil.copy(saved(bert()[0], tmp_path / "whole") / "model.safetensors", tmp_path)
    with pytest.raises(SnapshotError, match="must be a text encoder"):
        HuggingFaceEncoder(str(tmp_path))


def test_a_tokenizer_that_panics_is_refused(tmp_path: Path) -> None:
    folder = saved(bert()[0], tmp_path / "model")
    told = json.loads((folder / "tokenizer.json").read_text())
    told["post_processor"]["special_tokens"] = {}
    (folder / "tokenizer.json").write_text(json.dumps(told))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(SnapshotError, match=r"must be a text encoder, but .* its tokenizer cannot read text"):
        HuggingFaceEncoder(str(folder))


def test_offline_and_not_in_the_cache(tmp_path: Path, monkeypatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OfflineError, match=r"not on this machine.*HF_HUB_OFFLINE is set"):
        HuggingFaceEncoder("nobody/nothing")


def test_an_invalid_reference_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="org/name"):
        HuggingFaceEncoder("a b/c d")


def test_tokens_and_what_is_not_read(tmp_path: Path) -> None:
    encoder = HuggingFaceEncoder(str(saved(bert()[0], tmp_path / "model")))
    assert encoder.tokens("A Firefighter, \U0001fabf") == ("", "A", "Fire", "fighter", ",", "\U0001fabf", "")
    known, unknown, cut = encoder.unread(["a red heart", "a \U0001fabf", "a red heart " * 40])
    assert not known and unknown.unknown == ("\U0001fabf",)
    assert cut.cut == " ".join(("a red heart " * 40).split()[75:])


@pytest.mark.parametrize(
    ("caption", "texts", "spans"),
    [
        ("A red heart", ["[CLS]", "a", "red", "heart"], [(0, 0), (0, 1), (2, 5), (6, 11)]),
        ("firefighter", ["fire", "##fighter"], [(0, 4), (4, 11)]),
        ("a a", ["a", " ", "a", "a"], [(0, 1), (1, 1), (2, 3), (3, 3)]),
    ],
)
def test_tokens_without_positions_are_searched_in_order(caption, texts, spans) -> None:
    assert found_in(caption, texts) == spans
