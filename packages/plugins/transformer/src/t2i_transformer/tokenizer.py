"""Turns pictures into tokens and back: a convolutional autoencoder with a codebook of moving averages."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2i_transformer.config import TransformerConfig, TransformerObjectiveConfig

GROUPS = 8


class Tokenizer(nn.Module):
    """A vector-quantised autoencoder (van den Oord et al. 2017) whose finest layers work on patches."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        widths, values = config.widths, 3 * config.patch**2
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(config.patch),
            nn.Conv2d(values, widths[0], 3, padding=1),
            Residual(widths[0]),
            *(
                module
                for inputs, outputs in pairwise(widths)
                for module in (nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), Residual(outputs))
            ),
            _out(widths[-1], config.code_dim, 1),
        )
        self.codebook = Codebook(config.codes, config.code_dim)
        self.decoder = nn.Sequential(
            nn.Conv2d(config.code_dim, widths[-1], 3, padding=1),
            Residual(widths[-1]),
            Residual(widths[-1]),
            *(
                module
                for inputs, outputs in pairwise(reversed(widths))
                for module in (nn.Conv2d(inputs, outputs, 3, padding=1), nn.Upsample(scale_factor=2), Residual(outputs))
            ),
            _out(widths[0], values, 3),
            nn.PixelShuffle(config.patch),
            nn.Tanh(),
        )

    def latents(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n c"]:
        """The latents that the codebook rounds, row by row of the picture."""
        return self.encoder(images).flatten(2).transpose(1, 2).float()

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b n"]:
        """The pictures as tokens."""
        return self.codebook.nearest(self.latents(images))

    def decode(self, tokens: Int[Tensor, "b n"]) -> Float[Tensor, "b 3 h w"]:
        """Tokens as pictures."""
        return self.picture(self.codebook.codes[tokens])

    def picture(self, codes: Float[Tensor, "b n c"]) -> Float[Tensor, "b 3 h w"]:
        """Codes, row by row of the picture, as pictures."""
        side = round(codes.shape[1] ** 0.5)
        return self.decoder(codes.transpose(1, 2).reshape(len(codes), -1, side, side))


class Codebook(nn.Module):
    """Codes that are moving averages of the latents rounded to them (van den Oord et al. 2017, app. A).

    All state is in buffers: no gradient reaches a code, and checkpoints hold the averages.
    """

    codes: Tensor
    uses: Tensor
    sums: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.randn(size, dim))
        self.register_buffer("uses", torch.zeros(size))  # tokens per step; 0 at first: all codes are reset
        self.register_buffer("sums", torch.zeros(size, dim))

    def nearest(self, latents: Float[Tensor, "b n c"]) -> Int[Tensor, "b n"]:
        """The nearest code of each latent."""
        with torch.autocast(latents.device.type, enabled=False):
            scores = latents @ self.codes.T - 0.5 * self.codes.square().sum(1)  # |z - e|^2 = |z|^2 - 2 scores
        return scores.argmax(-1)

    @torch.no_grad()
    def follow(
        self, latents: Float[Tensor, "b n c"], chances: Float[Tensor, k], config: TransformerObjectiveConfig
    ) -> Int[Tensor, "b n"]:
        """Move towards the latents of one step, and return their tokens.

        Args:
            chances: uniform numbers, one per code, that choose the latent to which an unused code is reset.
        """
        flat = latents.detach().flatten(0, 1)
        dead = self.uses < config.restart_below
        begun = flat[(chances * len(flat)).long()]
        self.codes.copy_(torch.where(dead[:, None], begun, self.codes))
        self.sums.copy_(torch.where(dead[:, None], begun, self.sums))
        self.uses.masked_fill_(dead, 1)
        tokens = self.nearest(latents)
        keep = config.codebook_decay
        index = tokens.flatten()
        self.uses.mul_(keep).add_(usage(tokens, len(self.uses)), alpha=1 - keep)
        self.sums.mul_(keep).index_add_(0, index, flat, alpha=1 - keep)
        self.codes.copy_(self.sums / self.uses[:, None])
        return tokens


def usage(tokens: Int[Tensor, "b n"], size: int) -> Float[Tensor, k]:
    """How often each of `size` codes is used."""
    return torch.bincount(tokens.flatten(), minlength=size).float()


def perplexity(tokens: Int[Tensor, "b n"], size: int) -> Float[Tensor, ""]:
    """exp of the tokens' entropy: the effective number of codes in use."""
    shares = usage(tokens, size) / tokens.numel()
    return torch.special.entr(shares).sum().exp()


class Residual(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_out(width, width, 3), _out(width, width, 3))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.body(x)


def _out(inputs: int, outputs: int, side: int) -> nn.Sequential:
    return nn.Sequential(nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, side, padding=side // 2))
