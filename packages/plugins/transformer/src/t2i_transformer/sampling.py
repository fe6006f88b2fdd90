"""Samples tokens from a trained prior: one after another with a static cache, or all in a few rounds."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i_transformer.config import TransformerOptions
from t2i_transformer.prior import Memory, Prior, Reading
from t2i_transformer.tokenizer import composed


@torch.no_grad()
def autoregressive(prior: Prior, text: TextEmbedding, noise: Noise, options: TransformerOptions) -> Int[Tensor, "b n"]:
    """Sample token after token, each code with one uniform number from its picture's stream."""
    b, copies = len(text), _copies(options)
    uniforms = noise.uniform(prior.length * prior.depth).view(len(text), -1, prior.depth)
    memory = Memory(prior, _read(prior, text, options))
    written = torch.empty(b, prior.length, dtype=torch.long, device=uniforms.device)
    tokens = torch.full((b,), prior.unknown, device=uniforms.device)
    for position in range(prior.length):
        x = memory.step(tokens.repeat(copies), position)
        codes = torch.empty(b, 0, dtype=torch.long, device=uniforms.device)
        for uniform in uniforms[:, position].unbind(1):
            logits = prior.logits(x, codes.repeat(copies, 1))
            codes = torch.cat([codes, draw(guided(logits, options), uniform, options)[:, None]], dim=1)
        tokens = composed(codes, prior.codes)
        written[:, position] = tokens
    return written


@torch.no_grad()
def masked(prior: Prior, text: TextEmbedding, noise: Noise, options: TransformerOptions) -> Int[Tensor, "b n"]:
    """Sample all tokens at once, then in each round the least certain ones again (Chang et al. 2022, sec. 3.2)."""
    b, n, copies = len(text), prior.length, _copies(options)
    uniforms, chances = noise.uniform(2, options.steps, n).unbind(1)
    gumbels = -(-chances.clamp_min(1e-20).log()).log()
    reading = _read(prior, text, options)
    tokens = torch.full((b, n), prior.unknown, device=uniforms.device)
    for step in range(options.steps):
        logits = guided(prior(tokens.repeat(copies, 1), reading), options)
        drawn = draw(logits.flatten(0, 1), uniforms[:, step].flatten(), options).view(b, n)
        certainty = logits.log_softmax(2).gather(2, drawn[..., None])[..., 0]
        certainty = certainty + options.choice_temperature * (1 - (step + 1) / options.steps) * gumbels[:, step]
        unknown = tokens == prior.unknown
        tokens = torch.where(unknown, drawn, tokens)
        again = certainty.masked_fill(~unknown, math.inf).topk(hidden(step + 1, options.steps, n), largest=False)
        tokens = tokens.scatter(1, again.indices, prior.unknown)
    return tokens


def hidden(step: int, steps: int, n: int) -> int:
    """How many of n tokens are still unknown after `step` of `steps` rounds: the cosine schedule, fig. 3."""
    return math.floor(n * masked_share(step / steps)) if step < steps else 0


def masked_share(progress: float) -> float:
    """cos(pi/2 progress), for progress in [0, 1]."""
    return math.cos(math.pi / 2 * progress)


def guided(logits: Float[Tensor, "copies_b ... k"], options: TransformerOptions) -> Float[Tensor, "b ... k"]:
    """Logits with guidance (Ho and Salimans 2022, eq. 6); the second half of the rows has no text."""
    if _copies(options) == 1:
        return logits
    with_text, without_text = torch.unflatten(logits, 0, (2, -1))
    return torch.lerp(without_text, with_text, options.guidance)


def draw(logits: Float[Tensor, "b k"], uniform: Float[Tensor, b], options: TransformerOptions) -> Int[Tensor, b]:
    """One token per row by the inverse of its cumulative distribution."""
    size = logits.shape[1]
    if options.temperature != 1:
        logits = logits / options.temperature
    order = None
    if options.top_k or options.top_p < 1:
        logits, order = logits.topk(min(options.top_k or size, size))  # likeliest first
    chances = logits.softmax(1)
    below = chances.cumsum(1)
    if options.top_p < 1:
        chances = chances.masked_fill(below - chances >= options.top_p, 0)
        below = chances.cumsum(1)
    total = below[:, -1:]
    place = torch.minimum((below <= uniform[:, None] * total).sum(1), (below < total).sum(1))  # never past the last
    return place if order is None else order.gather(1, place[:, None])[:, 0]


def _copies(options: TransformerOptions) -> int:
    """Rows per picture: one with and one without text, unless guidance needs only one of them."""
    return 1 if options.guidance in (0, 1) else 2


def _read(prior: Prior, text: TextEmbedding, options: TransformerOptions) -> Reading:
    b, copies = len(text), _copies(options)
    dropped = torch.full((copies, b), options.guidance == 0, device=text.mask.device)
    dropped[1:] = True
    return prior.read(text.repeated(copies), dropped.flatten())
