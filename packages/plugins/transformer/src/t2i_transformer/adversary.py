"""VQGAN's additions to the tokenizer's loss (Esser et al. 2021, sec. 3.1): a patch discriminator, and its weight."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

LARGEST_WEIGHT = 1e4  # as in the released code


class PatchDiscriminator(nn.Module):
    """Logits for overlapping patches of 34 px (PatchGAN, Isola et al. 2017), with spectral norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Conv2d(3, width, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(2 * width, 4 * width, 4, 1, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(4 * width, 1, 4, 1, 1)),
        )

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h2 w2"]:
        return self.layers(images)


def adaptive_weight(
    reconstruction: Float[Tensor, ""], adversarial: Float[Tensor, ""], last: Tensor
) -> Float[Tensor, ""]:
    """The adversarial weight at which its gradient is as large as the reconstruction's (Esser et al. 2021, eq. 7).

    Args:
        last: the weight of the decoder's last layer, where both gradients are measured.
    """
    pulls = [torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (reconstruction, adversarial)]
    return (pulls[0] / (pulls[1] + 1e-6)).clamp(0, LARGEST_WEIGHT).detach()
