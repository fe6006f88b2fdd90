"""Conditioning augmentation (Zhang et al. 2017, sec. 3.2): a text becomes a Gaussian that each picture samples."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2i.toolbox.sentences import rms_normalised

Activation = Literal["linear", "relu", "glu"]


class Condition(NamedTuple):
    """The Gaussian of a text, and one sample from it."""

    drawn: Float[Tensor, "b c"]
    mu: Float[Tensor, "b c"]
    logvar: Float[Tensor, "b c"]


class ConditioningAugmentation(nn.Module):
    """Text to N(mu, sigma^2); a sample from it conditions the picture."""

    def __init__(self, text_dim: int, condition_dim: int, activation: Activation, *, normalize: bool) -> None:
        """
        Args:
            activation: applied to mu and logvar.
            normalize: whether sentences are first scaled to root mean square 1.
        """
        super().__init__()
        self.normalize, self.activation = normalize, activation
        width = 2 * condition_dim
        self.fc = nn.Linear(text_dim, 2 * width if activation == "glu" else width)

    def forward(self, sentence: Float[Tensor, "b d"], noise: Float[Tensor, "b c"]) -> Condition:
        """`noise` is standard normal, perhaps scaled."""
        mu, logvar = self.gaussian(sentence)
        return Condition(mu + noise * (0.5 * logvar).exp(), mu, logvar)

    def gaussian(self, sentence: Float[Tensor, "b d"]) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c"]]:
        """mu and log sigma^2."""
        x = self.fc(rms_normalised(sentence) if self.normalize else sentence)
        match self.activation:
            case "glu":
                x = F.glu(x)
            case "relu":
                x = F.relu(x)
        mu, logvar = x.chunk(2, dim=1)
        return mu, logvar


def divergence(mu: Float[Tensor, "b c"], logvar: Float[Tensor, "b c"]) -> Float[Tensor, ""]:
    """KL(N(mu, sigma^2) || N(0, 1)), the mean over batch and dimensions (eq. 2)."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean()
