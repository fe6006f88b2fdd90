"""The conditional GAN as a Generator."""

from __future__ import annotations

from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidConfigError
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.toolbox.widths import count_for, proposal
from t2i_cgan.config import WIDTHS, CGANConfig, CGANOptions
from t2i_cgan.model import BASE, GROUPS, ModulatedGenerator
from t2i_cgan.paper import PaperGenerator


@final
class ConditionalGAN(Generator[CGANOptions]):
    """GAN-INT-CLS (Reed et al. 2016): one picture from a sentence embedding and z ~ N(0, 1)."""

    technique: ClassVar[str] = "cgan"
    config_type: ClassVar[type[CGANConfig]] = CGANConfig
    options_type: ClassVar[type[CGANOptions]] = CGANOptions

    def __init__(self, config: CGANConfig) -> None:
        """
        Raises:
            InvalidConfigError: widths and pixel_shuffle do not give the resolution.
        """
        super().__init__()
        self.config: CGANConfig = config
        _check_shape(config)
        self.network = PaperGenerator(config) if config.architecture == "paper" else ModulatedGenerator(config)

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    def forward(self, sentence: Float[Tensor, "b d"], z: Float[Tensor, "b z"]) -> Float[Tensor, "b 3 h w"]:
        """The network itself, for training."""
        return self.network(sentence, z)

    def generate(self, text: TextEmbedding, noise: Noise, options: CGANOptions) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption."""
        return self.forward(text.sentence, options.truncation * noise.normal(self.config.noise_dim))


def _check_shape(config: CGANConfig) -> None:
    reached = 64 if config.architecture == "paper" else BASE * 2 ** (len(config.widths) - 1) * config.pixel_shuffle
    if reached != config.resolution:
        raise InvalidConfigError(
            f"cgan: {len(config.widths)} widths and pixel_shuffle={config.pixel_shuffle} ({config.architecture!r}) "
            f"give {reached} px per side, but resolution={config.resolution}. Change one of them."
            f"{proposal('widths', WIDTHS, count_for(config.resolution, config.pixel_shuffle))}"
        )
    uneven = [width for width in config.widths if width % GROUPS]
    if uneven:
        raise InvalidConfigError(f"cgan: widths must be multiples of {GROUPS}, got {uneven}.")
