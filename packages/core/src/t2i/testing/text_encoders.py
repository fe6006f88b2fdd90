"""What every TextEncoder promises. Needs pytest (pip install pytest)."""

from __future__ import annotations

import re

import pytest
import torch

from t2i.errors import InvalidInputError
from t2i.testing.checks import no_global_randomness, same
from t2i.text import TextEncoder

CAPTIONS = [
    "heart",
    "a red heart",
    "a small bird with a blue crown and a short beak",
    "flag of Japan",
    "two dogs",
    "a cat on the roof of a red house",
    "the sun",
    "pizza",
]
ROUNDING = 1e-5  # what a kernel for another batch size may change


class TextEncoderSuite:
    """Inherit, name the class Test..., and override `encoder`."""

    @pytest.fixture
    def encoder(self) -> TextEncoder:
        """The encoder, on the CPU."""
        raise NotImplementedError("A TextEncoderSuite overrides the fixture `encoder`.")

    def test_shapes(self, encoder: TextEncoder) -> None:
        text, dim = encoder.encode(CAPTIONS), encoder.identity.dim
        count, longest = len(CAPTIONS), text.mask.shape[1]
        shapes = [list(tensor.shape) for tensor in (text.sentence, text.words, text.mask)]
        wanted = [[count, dim], [count, longest, dim], [count, longest]]
        assert shapes == wanted, f"sentence, words and mask are {wanted} at dim {dim}, not {shapes}"
        assert text.sentence.dtype == text.words.dtype == torch.float32, "sentence and words are float32"
        assert text.mask.dtype == torch.bool, f"the mask is bool, not {text.mask.dtype}"
        assert text.sentence.isfinite().all() and text.words.isfinite().all(), "a number is not finite"
        assert not text.sentence.requires_grad and not text.words.requires_grad, "an encoder is frozen"

    def test_mask_tells_real_words(self, encoder: TextEncoder) -> None:
        text = encoder.encode(CAPTIONS)
        lengths = text.mask.sum(1)
        assert lengths.min() >= 1, "the mask leaves a caption without a word"
        assert lengths.max() == text.mask.shape[1], (
            f"l is the longest caption's number of tokens, {int(lengths.max())}, not {text.mask.shape[1]}"
        )
        assert (text.words[~text.mask] == 0).all(), "words that the mask leaves out are not zero"

    def test_identity(self, encoder: TextEncoder) -> None:
        identity = encoder.identity
        assert identity.name, "an encoder has a name"
        assert re.fullmatch("[0-9a-f]{64}", identity.sha256), f"sha256 is 64 hex digits, not {identity.sha256!r}"
        assert identity == encoder.identity, "the identity changes from call to call"

    def test_an_embedding_does_not_depend_on_its_neighbours(self, encoder: TextEncoder) -> None:
        whole = encoder.encode(CAPTIONS)
        order = [5, 0, 7, 2, 4, 1, 6, 3]
        shuffled = encoder.encode([CAPTIONS[index] for index in order])
        for part in ("sentence", "words", "mask"):
            one, other = getattr(shuffled, part).float(), getattr(whole, part)[order].float()
            assert same(one, other, ROUNDING), f"{part} depends on the caption's place in the batch"
        for index, caption in enumerate(CAPTIONS):
            alone = encoder.encode([caption])
            words = whole.words[index][whole.mask[index]]
            assert same(alone.sentence[0], whole.sentence[index], ROUNDING), (
                f"the sentence of {caption!r} depends on its neighbours"
            )
            assert same(alone.words[0], words, ROUNDING), f"the words of {caption!r} depend on their neighbours"

    def test_captions_are_told_apart(self, encoder: TextEncoder) -> None:
        sentences = encoder.encode(CAPTIONS).sentence
        near = torch.pdist(sentences).min()
        assert near > ROUNDING, "two different captions have the same sentence"

    def test_nothing_is_random(self, encoder: TextEncoder) -> None:
        first = encoder.encode(CAPTIONS)
        with no_global_randomness("encode"):
            second = encoder.encode(CAPTIONS)
        assert torch.equal(first.sentence, second.sentence), "the same captions have another sentence"
        assert torch.equal(first.words, second.words), "the same captions have other words"

    def test_what_it_returns_may_be_changed(self, encoder: TextEncoder) -> None:
        before = encoder.encode(CAPTIONS[:1]).sentence.clone()
        encoder.encode(CAPTIONS[:1]).sentence.zero_()
        assert torch.equal(encoder.encode(CAPTIONS[:1]).sentence, before), "changing a result changes the next one"

    def test_long_captions_are_cut(self, encoder: TextEncoder) -> None:
        length = encoder.encode(["one two three " * (encoder.max_words + 10)]).mask.shape[1]
        assert length <= encoder.max_words, f"max_words is {encoder.max_words}, but a caption kept {length} tokens"

    def test_refuses_nothing_to_read(self, encoder: TextEncoder) -> None:
        for captions in ([], [""], ["a heart", " "]):
            try:
                encoder.encode(captions)
            except InvalidInputError:
                continue
            except Exception as error:
                raise AssertionError(f"{captions} raises {type(error).__name__}, not InvalidInputError") from error
            raise AssertionError(f"{captions} is encoded, not refused")

    def test_moving_returns_the_encoder(self, encoder: TextEncoder) -> None:
        assert encoder.to("cpu") is encoder, "to(device) returns the encoder itself"
        assert encoder.encode(CAPTIONS[:1]).sentence.device.type == "cpu"
