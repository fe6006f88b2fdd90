"""Chooses the next token, with one uniform number per text, so that a text depends on its own seed alone."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

MOST_LIKELY = 1024  # tokens that top_p chooses from; the others' probability is a millionth in all


def choose_tokens(
    logits: Float[Tensor, "b v"], uniform: Float[Tensor, b], temperature: float, top_p: float
) -> Int[Tensor, b]:
    """A token for each row, by inverse transform of `uniform` in [0, 1).

    With a temperature of 0 it is the most likely one. Otherwise it is drawn from the smallest set of likely tokens
    whose probability is at least `top_p` (nucleus sampling; Holtzman et al., ICLR 2020).
    """
    if temperature == 0:
        return logits.argmax(1)
    scaled = logits.float() / temperature
    if top_p < 1:
        values, tokens = scaled.topk(min(MOST_LIKELY, scaled.shape[1]), dim=1)
        probabilities = (values - scaled.logsumexp(1, keepdim=True)).exp()
        before = probabilities.cumsum(1) - probabilities
        probabilities = probabilities * (before < top_p)
    else:
        probabilities, tokens = scaled.softmax(1), None
    cumulative = probabilities.double().cumsum(1)
    threshold = uniform.double()[:, None] * cumulative[:, -1:]
    places = torch.searchsorted(cumulative, threshold, right=True).clamp_(max=scaled.shape[1] - 1)
    if tokens is None:
        return places[:, 0]
    last = (probabilities > 0).sum(1, keepdim=True) - 1
    return tokens.gather(1, places.minimum(last))[:, 0]
