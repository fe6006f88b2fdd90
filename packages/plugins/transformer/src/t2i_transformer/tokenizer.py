"""Turns pictures into tokens and back: a convolutional autoencoder with a codebook of moving averages."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

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
        self.deeper = nn.ModuleList(Codebook(config.codes, config.code_dim) for _ in range(config.code_depth - 1))
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

    @property
    def last_weight(self) -> Tensor:
        """The weight of the last convolution before the pixels."""
        return cast(nn.Conv2d, cast(nn.Sequential, self.decoder[-3])[-1]).weight

    @property
    def codebooks(self) -> list[Codebook]:
        """One for each code of a token, in order."""
        return [self.codebook, *(cast(Codebook, codebook) for codebook in self.deeper)]

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b n"]:
        """The pictures as tokens; see `composed`."""
        return self.nearest(self.latents(images))

    def nearest(self, latents: Float[Tensor, "b n c"]) -> Int[Tensor, "b n"]:
        """The tokens that latents are rounded to; see `composed`."""
        left, codes = latents, []
        for codebook in self.codebooks:
            codes.append(codebook.nearest(left))
            left = left - codebook.codes[codes[-1]]
        return composed(torch.stack(codes, dim=2), len(self.codebook.codes))

    def rounded(self, tokens: Int[Tensor, "b n"]) -> Float[Tensor, "b n c"]:
        """The quantised latents of tokens: the sums of their codes."""
        codes = codes_of(tokens, len(self.codebook.codes), len(self.codebooks)).unbind(2)
        return torch.stack([book.codes[code] for book, code in zip(self.codebooks, codes, strict=True)]).sum(0)

    def follow(
        self, latents: Float[Tensor, "b n c"], chances: Float[Tensor, "r k"], config: TransformerObjectiveConfig
    ) -> Int[Tensor, "b n"]:
        """Move every codebook towards the residuals of the ones before it, and return the tokens of the latents.

        Args:
            chances: uniform numbers, one per code, that choose the latent to which an unused code is reset.
        """
        left, codes = latents.detach(), []
        for codebook, own in zip(self.codebooks, chances, strict=True):
            codes.append(codebook.follow(left, own, config))
            left = left - codebook.codes[codes[-1]]
        return composed(torch.stack(codes, dim=2), len(self.codebook.codes))

    def decode(self, tokens: Int[Tensor, "b n"]) -> Float[Tensor, "b 3 h w"]:
        """Tokens as pictures."""
        return self.picture(self.rounded(tokens))

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
        self.register_buffer("codes", nn.init.normal_(torch.empty(size, dim)))  # loading skips torch.nn.init
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


def composed(codes: Int[Tensor, "*b r"], size: int) -> Int[Tensor, "*b"]:
    """The r codes of each token as one number: its digits in base `size`, the first code the lowest."""
    return (codes * _powers(codes, size, codes.shape[-1])).sum(-1)


def codes_of(tokens: Int[Tensor, "*b"], size: int, depth: int) -> Int[Tensor, "*b r"]:
    """The inverse of `composed`."""
    return tokens[..., None] // _powers(tokens, size, depth) % size


def _powers(like: Tensor, size: int, depth: int) -> Int[Tensor, " r"]:
    return torch.tensor([size**place for place in range(depth)], device=like.device)


def usage(codes: Int[Tensor, "*n"], size: int) -> Float[Tensor, k]:
    """How often each of `size` codes is used."""
    return torch.bincount(codes.flatten(), minlength=size).float()


def perplexity(codes: Int[Tensor, "*n"], size: int) -> Float[Tensor, ""]:
    """exp of the codes' entropy: the effective number of codes in use."""
    shares = usage(codes, size) / codes.numel()
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
