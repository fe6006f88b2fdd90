"""The networks of Reed et al. 2016, fig. 2: DCGAN at 64 px with residual bottlenecks at 4x4 and 8x8.

As in their code, convolutions have no bias (theirs is set to 0 before every step), and text projections have torch's
default initial weights.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2i.toolbox.discriminator import outputs_of
from t2i_cgan.config import CGANConfig


class _Bottleneck(nn.Module):
    """A residual block: 1x1 to fewer channels, 3x3, 3x3 to the first width, each with batch norm."""

    def __init__(self, width: int, inner: int, activation: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            activation,
            nn.Conv2d(inner, inner, 3, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            activation,
            nn.Conv2d(inner, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x + self.body(x))


class _FromOnePixel(nn.ConvTranspose2d):
    """A transposed convolution of one pixel, which is a matrix product and much faster as one on a processor."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return (x.flatten(1) @ self.weight.flatten(1)).view(-1, *self.weight.shape[1:])


class PaperGenerator(nn.Module):
    """Maps sentence and z to a 64-px picture."""

    def __init__(self, config: CGANConfig) -> None:
        super().__init__()
        n, relu = config.ngf, nn.ReLU()
        self.text = nn.Sequential(nn.Linear(config.text_dim, config.condition_dim), nn.LeakyReLU(0.2))

        def up(inputs: int, outputs: int) -> list[nn.Module]:
            return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs)]

        self.body = nn.Sequential(
            _FromOnePixel(config.noise_dim + config.condition_dim, 8 * n, 4, bias=False),  # 4 px
            nn.BatchNorm2d(8 * n),
            _Bottleneck(8 * n, 2 * n, relu),
            *up(8 * n, 4 * n),  # 8 px
            _Bottleneck(4 * n, n, relu),
            *up(4 * n, 2 * n),  # 16 px
            relu,
            *up(2 * n, n),  # 32 px
            relu,
            nn.ConvTranspose2d(n, 3, 4, 2, 1, bias=False),  # 64 px
            nn.Tanh(),
        )
        self.apply(_dcgan_init)

    def forward(self, sentence: Float[Tensor, "b d"], z: Float[Tensor, "b z"]) -> Float[Tensor, "b 3 64 64"]:
        return self.body(torch.cat([z, self.text(sentence)], dim=1)[:, :, None, None])


class PaperDiscriminator(nn.Module):
    """Maps picture and sentence to one logit; the text is added at 4x4."""

    def __init__(self, text_dim: int, condition_dim: int, ndf: int) -> None:
        super().__init__()
        n, leaky = ndf, nn.LeakyReLU(0.2)

        def down(inputs: int, outputs: int) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)

        self.text = nn.Sequential(nn.Linear(text_dim, condition_dim), nn.BatchNorm1d(condition_dim), leaky)
        self.stages = nn.ModuleList(
            [
                nn.Sequential(down(3, n), leaky),  # 32 px
                nn.Sequential(down(n, 2 * n), nn.BatchNorm2d(2 * n), leaky),
                nn.Sequential(down(2 * n, 4 * n), nn.BatchNorm2d(4 * n)),  # as released: no activation
                nn.Sequential(down(4 * n, 8 * n), nn.BatchNorm2d(8 * n), _Bottleneck(8 * n, 2 * n, leaky)),  # 4 px
            ]
        )
        self.judge = nn.Sequential(
            nn.Conv2d(8 * n + condition_dim, 8 * n, 1, bias=False),
            nn.BatchNorm2d(8 * n),
            leaky,
            nn.Conv2d(8 * n, 1, 4, bias=False),
        )
        self.apply(_dcgan_init)

    def features(self, images: Float[Tensor, "b 3 64 64"]) -> list[Tensor]:
        return outputs_of(self.stages, images)

    def logits(self, features: list[Tensor], sentence: Float[Tensor, "b d"]) -> Float[Tensor, b]:
        top = features[-1]
        text = self.text(sentence)[:, :, None, None].expand(-1, -1, *top.shape[2:])
        return self.judge(torch.cat([top, text], dim=1)).flatten()


def _dcgan_init(module: nn.Module) -> None:
    """N(0, .02) convolutions, N(1, .02) batch-norm scales (Radford et al. 2016)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
