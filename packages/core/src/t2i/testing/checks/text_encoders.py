"""What every TextEncoder promises."""

from __future__ import annotations

import re

import torch

from t2i.errors import InvalidInputError
from t2i.testing.checks.check import Checks
from t2i.testing.checks.probes import no_global_randomness, same, undocumented, watched
from t2i.text import TextEncoder, behind

TEXT_ENCODER_CHECKS: Checks[TextEncoder] = Checks()
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
LONG = "one two three "
ROUNDING = 1e-5  # a kernel for another batch size may change this much


@TEXT_ENCODER_CHECKS.add(
    why="generators are built for these widths and types",
    remedy="return float32 sentence and words without gradient, and a bool mask: encode under torch.inference_mode()",
)
def shapes(encoder: TextEncoder) -> None:
    text, dim = encoder.encode(CAPTIONS), encoder.identity.dim
    count, longest = len(CAPTIONS), text.mask.shape[1]
    shapes = [list(tensor.shape) for tensor in (text.sentence, text.words, text.mask)]
    wanted = [[count, dim], [count, longest, dim], [count, longest]]
    assert shapes == wanted, f"sentence, words and mask must be {wanted} at dim {dim}, got {shapes}"
    assert text.sentence.dtype == text.words.dtype == torch.float32, "sentence and words must be float32"
    assert text.mask.dtype == torch.bool, f"the mask must be bool, got {text.mask.dtype}"
    assert text.sentence.isfinite().all() and text.words.isfinite().all(), "a number is not finite"
    assert not text.sentence.requires_grad and not text.words.requires_grad, "an encoder must be frozen"


@TEXT_ENCODER_CHECKS.add(
    why="generators rely only on the mask",
    remedy="count special tokens as words, set the rest to zero, and pad only to the longest caption of the batch",
)
def mask_tells_real_words(encoder: TextEncoder) -> None:
    text = encoder.encode(CAPTIONS)
    lengths = text.mask.sum(1)
    assert lengths.min() >= 1, "the mask leaves a caption without a word"
    assert lengths.max() == text.mask.shape[1], (
        f"l must be the longest caption's number of tokens, {int(lengths.max())}, got {text.mask.shape[1]}"
    )
    assert (text.words[~text.mask] == 0).all(), "masked words are not zero"


@TEXT_ENCODER_CHECKS.add(
    why="a snapshot records the encoder it was trained with, down to its weights",
    remedy="return the constant EncoderIdentity of your weights file",
)
def identity(encoder: TextEncoder) -> None:
    identity = encoder.identity
    assert identity.name, "an encoder must have a name"
    assert re.fullmatch("[0-9a-f]{64}", identity.sha256), f"sha256 must be 64 hex digits, got {identity.sha256!r}"
    assert identity == encoder.identity, "the identity changes from call to call"


@TEXT_ENCODER_CHECKS.add(
    why="a caption's picture must not depend on the other captions",
    remedy="mask padding inside the network, and pool under the mask",
)
def an_embedding_does_not_depend_on_its_neighbours(encoder: TextEncoder) -> None:
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


@TEXT_ENCODER_CHECKS.add(
    why="captions that look the same to a generator draw the same picture",
    remedy="check the tokenizer: it may map every word to the unknown token",
)
def captions_are_distinguished(encoder: TextEncoder) -> None:
    sentences = encoder.encode(CAPTIONS).sentence
    near = torch.pdist(sentences).min()
    assert near > ROUNDING, "two different captions have the same sentence"


@TEXT_ENCODER_CHECKS.add(
    why="embeddings are cached, and pictures must be reproducible",
    remedy="put the network in eval mode, and seed nothing",
)
def nothing_is_random(encoder: TextEncoder) -> None:
    first = encoder.encode(CAPTIONS)
    with no_global_randomness("encode"):
        second = encoder.encode(CAPTIONS)
    assert torch.equal(first.sentence, second.sentence), "the same captions have different sentences"
    assert torch.equal(first.words, second.words), "the same captions have different words"


@TEXT_ENCODER_CHECKS.add(
    why="callers may scale or mix embeddings in place",
    remedy="return a clone of cached tensors",
)
def what_it_returns_may_be_changed(encoder: TextEncoder) -> None:
    before = encoder.encode(CAPTIONS[:1]).sentence.clone()
    encoder.encode(CAPTIONS[:1]).sentence.zero_()
    assert torch.equal(encoder.encode(CAPTIONS[:1]).sentence, before), "changing a result changes the next one"


@TEXT_ENCODER_CHECKS.add(
    why="people paste whole paragraphs",
    remedy="truncate to max_words, special tokens included",
)
def long_captions_are_cut(encoder: TextEncoder) -> None:
    length = encoder.encode([LONG * (encoder.max_words + 10)]).mask.shape[1]
    assert length <= encoder.max_words, f"max_words is {encoder.max_words}, but a caption kept {length} tokens"


@TEXT_ENCODER_CHECKS.add(
    why="attention maps must say which word they belong to",
    remedy='return for each word its part of the caption, and "" for special tokens',
)
def tokens_are_parts_of_the_caption(encoder: TextEncoder) -> None:
    for caption in [*CAPTIONS, "A Red  HEART,\twith a blue dot!", LONG * (encoder.max_words + 10)]:
        tokens, count = encoder.tokens(caption), int(encoder.encode([caption]).mask.sum())
        where = f"{caption[:40]!r}"
        assert len(tokens) == count, f"{where} has {count} words, but {len(tokens)} tokens: {tokens[:9]}"
        end = 0
        for token in tokens:
            start = caption.find(token, end)
            assert start >= 0, f"the tokens of {where} must occur in it in order, but {token!r} does not"
            end = start + len(token)
        assert any(tokens), f"no token of {where} is a part of it"


@TEXT_ENCODER_CHECKS.add(
    why="users must be told if words of their prompt are ignored",
    remedy="put the text beyond max_words into `cut` (see t2i.text.behind), and unknown words into `unknown`",
)
def unread_text_is_reported(encoder: TextEncoder) -> None:
    prompt = LONG * (encoder.max_words + 10)
    short, long = encoder.unread(["a red heart", prompt])
    assert not short.cut, f"'a red heart' is read to its end, but {short.cut!r} is reported as cut"
    left = behind(encoder.tokens(prompt), prompt)
    assert long.cut == left and left, f"{left[:40]!r}... is left out, but {long.cut[:40]!r}... is reported"
    assert str(long) and long, "`str` of the result must be a sentence"
    assert len(encoder.unread(CAPTIONS)) == len(CAPTIONS), "there must be one result for each prompt"


@TEXT_ENCODER_CHECKS.add(
    why="guidance also draws without text, in the same batch",
    remedy="give `identity` the width of your embeddings",
)
def no_text_is_an_embedding_of_the_same_width(encoder: TextEncoder) -> None:
    nothing, something = encoder.null()[[0, 0]], encoder.encode(CAPTIONS[:2])
    assert nothing.sentence.shape == something.sentence.shape, "the embedding of no text has another width"
    assert nothing.mask.sum().item() == 2 and not nothing.words.any(), "no text must be one word of zeros"


@TEXT_ENCODER_CHECKS.add(
    why="an empty caption is a mistake and must be reported, not drawn",
    remedy="raise t2i.errors.InvalidInputError for no caption and for white space",
)
def refuses_empty_prompts(encoder: TextEncoder) -> None:
    for captions in ([], [""], ["a heart", " "]):
        for read in (encoder.encode, encoder.unread):
            try:
                read(captions)
            except InvalidInputError:
                continue
            except Exception as error:
                raise AssertionError(f"{captions} raises {type(error).__name__}, not InvalidInputError") from error
            raise AssertionError(f"{captions} is read by {read.__name__}, not refused")


@TEXT_ENCODER_CHECKS.add(
    why="encoders are moved like modules: encoder = encoder.to(device)",
    remedy="return self",
)
def moving_returns_the_encoder(encoder: TextEncoder) -> None:
    assert encoder.to("cpu") is encoder, "to(device) must return the encoder itself"
    assert encoder.encode(CAPTIONS[:1]).sentence.device.type == "cpu"


@TEXT_ENCODER_CHECKS.add(
    why="people write captions of any length, and batches mix them",
    remedy="cut to max_words before padding, and keep at least one word",
)
def captions_of_one_word_and_of_500_are_read(encoder: TextEncoder) -> None:
    text = encoder.encode(["heart", "red " * 499 + "heart"])
    lengths = text.mask.sum(1).tolist()
    assert lengths[0] >= 1, "a caption of one word keeps none"
    assert lengths[0] <= lengths[1] <= encoder.max_words, f"captions of 1 and 500 words keep {lengths} tokens"
    assert text.sentence.isfinite().all(), "a caption of 500 words has a sentence that is not finite"


@TEXT_ENCODER_CHECKS.add(
    why="local models must work offline and leave no files behind",
    remedy="fetch and read everything when the encoder is made, and keep caches in memory",
)
def encoding_reaches_nothing_and_writes_nothing(encoder: TextEncoder) -> None:
    encoder.encode(CAPTIONS)  # triggers imports on first use
    with watched(unplugged=True) as touched:
        encoder.encode([f"{caption}, again" for caption in CAPTIONS])
    found = ", ".join([*touched.reached, *touched.written])
    assert not found, f"encode must use no network and write no file, but did: {found}"


@TEXT_ENCODER_CHECKS.add(
    why="users must know what `words` and `sentence` are",
    remedy="give the class a docstring: what `words` and `sentence` are, and where the weights are from",
)
def is_documented(encoder: TextEncoder) -> None:
    missing = undocumented(type(encoder))
    assert not missing, f"public classes must have docstrings, but {', '.join(missing)} has none"
