"""Sampling image tokens, against transformers' generate on a GPT-2 and against dalle-pytorch.

dalle-pytorch no longer installs cleanly. For its rows, put it in a folder of its own and name that folder:

    uv pip install --no-deps --target FOLDER dalle-pytorch==1.6.6 einops axial-positional-embedding \
        rotary-embedding-torch==0.3.6
    PYTHONPATH=FOLDER nox -s bench -- transformer
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import types
from collections.abc import Callable

import torch
from measure import commands, functions, line, ratio

from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i_transformer.config import TransformerConfig, TransformerOptions
from t2i_transformer.generator import TokenTransformer
from t2i_transformer.prior import Prior
from t2i_transformer.sampling import autoregressive

DIM, DEPTH, HEADS, CODES = 256, 6, 8, 1024
BATCH, WORDS, GUIDANCE = 8, 32, 3.0
LENGTHS = (64, 256, 1024)


def run() -> None:
    torch.manual_seed(0)
    tokens = BATCH * LENGTHS[0]
    what = f"{DEPTH} layers of {DIM}, batch {BATCH}, {LENGTHS[0]} tokens, guided"
    ours, guided, double, *dalle = functions(
        _ours(LENGTHS[0]), _gpt2(BATCH, GUIDANCE), _gpt2(2 * BATCH, None), *_dalle_pytorch()
    )
    line(f"t2i-transformer, {what}", f"{tokens / ours.median:.0f} tokens/s")
    line("transformers generate, GPT-2, guidance_scale=3", f"{tokens / guided.median:.0f} tokens/s")
    line("  t2i-transformer against it", f"{ratio(guided, ours):.2f} x", "goal: at least 1.5 x")
    line("the same without guidance, with twice the batch", f"{tokens / double.median:.0f} tokens/s")
    line("  t2i-transformer against it", f"{ratio(double, ours):.2f} x", "no goal: the same rows, without text")
    for name, goal, measured in zip(("defaults", "use_cache"), (8, 2), dalle, strict=False):
        line(f"dalle-pytorch 1.6.6, {name}", f"{tokens / measured.median:.0f} tokens/s")
        line("  t2i-transformer against it", f"{ratio(measured, ours):.1f} x", f"goal: at least {goal} x")
    for length, measured in zip(LENGTHS, functions(*map(_ours, LENGTHS), runs=3), strict=True):
        line(f"{length} tokens", f"{1e6 * measured.median / BATCH / length:.0f} us per token")
    _pictures()


def _ours(length: int) -> Callable[[], None]:
    shape = TransformerConfig(dim=DIM, depth=DEPTH, heads=HEADS, codes=CODES)
    prior = Prior(shape, round(length**0.5)).eval().requires_grad_(False)
    words = torch.randn(BATCH, WORDS, shape.text_dim)
    text = TextEmbedding(words.mean(1), words, torch.ones(BATCH, WORDS, dtype=torch.bool))

    def write() -> None:
        with torch.inference_mode():
            autoregressive(prior, text, Noise(range(BATCH)), TransformerOptions(guidance=GUIDANCE))

    return write


def _gpt2(batch: int, guidance: float | None) -> Callable[[], None]:
    from transformers import GPT2Config, GPT2LMHeadModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    shape = GPT2Config(n_embd=DIM, n_layer=DEPTH, n_head=HEADS, vocab_size=CODES, n_positions=128)
    model = GPT2LMHeadModel(shape).eval().requires_grad_(False)
    start, length = torch.zeros(batch, 1, dtype=torch.long), LENGTHS[0]
    settings = {"do_sample": True, "top_k": 0, "use_cache": True, "pad_token_id": 0, "guidance_scale": guidance}

    def write() -> None:
        with torch.inference_mode():
            found = model.generate(
                start,
                attention_mask=torch.ones_like(start),
                min_new_tokens=length,
                max_new_tokens=length,
                **settings,
            )
        assert found.shape == (batch, length + 1)

    return write


def _dalle_pytorch() -> list[Callable[[], None]]:
    """As its users run it (no cache), and with its cache; stubs replace imports that it does not need here."""
    stand_ins = {
        "omegaconf": {"OmegaConf": None},
        "requests": {},
        "pkg_resources": {"get_distribution": lambda name: types.SimpleNamespace(version="1.6.6")},
        "taming": {},
        "taming.models": {},
        "taming.models.vqgan": {"VQModel": None, "GumbelVQ": None},
        "youtokentome": {},
    }
    made: set[str] = set()
    for name, contents in stand_ins.items():
        top = name.partition(".")[0]
        if name not in sys.modules and (top in made or importlib.util.find_spec(top) is None):
            made.add(name)
            sys.modules[name] = types.ModuleType(name)
            vars(sys.modules[name]).update(contents)
    try:
        from dalle_pytorch import DALLE, DiscreteVAE
    except ImportError as error:
        line("dalle-pytorch 1.6.6", "not measured", f"{error}; this file's first lines say how to install it")
        return []
    vae = DiscreteVAE(image_size=64, num_layers=3, num_tokens=CODES, codebook_dim=32, hidden_dim=8)
    dalle = DALLE(
        dim=DIM, vae=vae, depth=DEPTH, heads=HEADS, dim_head=DIM // HEADS, text_seq_len=WORDS
    ).eval()  # its default reads 256 tokens of text, which would only slow it down
    text = torch.randint(1, 10_000, (BATCH, dalle.text_seq_len))

    def write(use_cache: bool) -> None:
        dalle.generate_images(text.clone(), cond_scale=GUIDANCE, use_cache=use_cache)

    return [lambda: write(False), lambda: write(True)]


# --- pictures, in both ways ----------------------------------------------------------------------------------------

KINDS = ("autoregressive", "masked")


def _pictures() -> None:
    drawn = functions(*map(_draw, KINDS))
    start, *memory = commands(*([sys.executable, __file__, kind] for kind in ("nothing", *KINDS)), runs=1)
    for kind, measured, peak in zip(KINDS, drawn, memory, strict=True):
        line(f"pictures of 64 px, {kind}, batch {BATCH}, guided", f"{BATCH / measured.median:.0f} images/s")
        line("  peak memory, in addition to the libraries'", f"{peak.peak_mib - start.peak_mib:.0f} MiB")


def _draw(kind: str) -> Callable[[], None]:
    generator = TokenTransformer(TransformerConfig(prior=kind)).eval().requires_grad_(False)
    words = torch.randn(BATCH, WORDS, generator.text_dim)
    text = TextEmbedding(words.mean(1), words, torch.ones(BATCH, WORDS, dtype=torch.bool))

    def draw() -> None:
        with torch.inference_mode():
            generator.generate(text, Noise(range(BATCH)), generator.options(guidance=GUIDANCE))

    return draw


if __name__ == "__main__":
    with contextlib.suppress(ValueError):  # "nothing" is not among the kinds
        _draw(KINDS[KINDS.index(sys.argv[1])])()
