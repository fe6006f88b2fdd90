"""The networks that only training needs: the discriminator, and CVAE-GAN's reader, which matches captions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2i.toolbox.discriminator import SIDE, StageDiscriminator
from t2i.toolbox.sentences import rms_normalised


class TextDiscriminator(nn.Module):
    """Maps picture and sentence to a logit; its features are used to compare pictures."""

    def __init__(self, resolution: int, text_dim: int, text_features: int, width: int, *, spectral: bool) -> None:
        super().__init__()
        self.text = nn.Sequential(nn.Linear(text_dim, text_features), nn.LeakyReLU(0.2))
        self.pictures = StageDiscriminator(
            resolution, text_features, width, spectral=spectral, unconditional=False, orthogonal=False
        )

    def features(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The outputs of each convolution, finest first."""
        return self.pictures.features(images)

    def logits(self, features: list[Tensor], sentence: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        """How real the picture is, and how well the sentence fits it."""
        return self.pictures.logits(features, self.text(rms_normalised(sentence)))


class Reader(nn.Module):
    """Matches pictures with the captions of their batch: CVAE-GAN's classifier, where every caption is a class."""

    def __init__(self, resolution: int, text_dim: int, text_features: int, width: int) -> None:
        super().__init__()
        halvings = (resolution // SIDE).bit_length() - 1
        widths = [3, *(width * min(2**step, 8) for step in range(halvings))]
        self.stages = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(widths[i], widths[i + 1], 4, 2, 1), nn.LeakyReLU(0.2)) for i in range(halvings))
        )
        self.out = nn.Linear(widths[-1] * SIDE**2, text_features)
        self.text = nn.Linear(text_dim, text_features)
        self.sharpness = nn.Parameter(torch.tensor(10.0).log())  # 1 / temperature, as a logarithm (CLIP, 2021)

    def features(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b f"]:
        """The input of the last layer."""
        return self.stages(images).flatten(1)

    def logits(self, features: Float[Tensor, "b f"], sentences: Float[Tensor, "n d"]) -> Float[Tensor, "b n"]:
        """How well each sentence fits each picture."""
        pictures = F.normalize(self.out(features), dim=1)
        return self.sharpness.exp().clamp(max=100) * pictures @ F.normalize(self.text(sentences), dim=1).T
