"""DF-GAN as a Generator."""

from __future__ import annotations

from typing import ClassVar, Self, final

from jaxtyping import Float
from torch import Tensor

from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.toolbox.folding import folded
from t2i.toolbox.sentences import rms_normalised
from t2i_dfgan.config import DFGANConfig, DFGANOptions
from t2i_dfgan.model import FusionGenerator


@final
class DFGAN(Generator[DFGANOptions]):
    """DF-GAN (Tao et al. 2022): one picture from a sentence embedding and z ~ N(0, 1), in one pass."""

    technique: ClassVar[str] = "dfgan"
    config_type: ClassVar[type[DFGANConfig]] = DFGANConfig
    options_type: ClassVar[type[DFGANOptions]] = DFGANOptions

    def __init__(self, config: DFGANConfig) -> None:
        super().__init__()
        self.config: DFGANConfig = config
        self.network = FusionGenerator(config)

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    def generate(self, text: TextEmbedding, noise: Noise, options: DFGANOptions) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption."""
        z = options.truncation * noise.normal(self.config.noise_dim)
        return self.network(z, self.read(text.sentence))

    def read(self, sentence: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """The sentences as both networks take them."""
        return rms_normalised(sentence) if self.config.normalize_text else sentence

    def for_drawing(self) -> Self:
        return folded(self)
