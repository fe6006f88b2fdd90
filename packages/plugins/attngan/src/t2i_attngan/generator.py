"""AttnGAN as a Generator that returns every scale's picture and shows its attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from t2i.drawing.abilities import Attended
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.toolbox.staged_generator import StagedGenerator
from t2i_attngan.config import AttnGANConfig, AttnGANOptions
from t2i_attngan.damsm import DAMSM
from t2i_attngan.model import Attention, Tree


@final
class AttnGAN(StagedGenerator[AttnGANOptions]):
    """AttnGAN (Xu et al. 2018): a tree of generators whose further scales attend to the words that DAMSM has read."""

    technique: ClassVar[str] = "attngan"
    config_type: ClassVar[type[AttnGANConfig]] = AttnGANConfig
    options_type: ClassVar[type[AttnGANOptions]] = AttnGANOptions

    def __init__(self, config: AttnGANConfig) -> None:
        super().__init__()
        self.config: AttnGANConfig = config
        self.damsm = DAMSM(config)
        self.tree = Tree(config)

    def stages(self, text: TextEmbedding, noise: Noise, options: AttnGANOptions) -> Iterator[Float[Tensor, "b 3 _ _"]]:
        """The pictures at every scale, smallest first."""
        read = self.damsm.reader(text)
        z, varied = self._drawn(noise, options)
        condition = self.tree.augmentation(read.sentence, varied)
        for picture, _ in self.tree.scales(read, condition, z, legacy_mask=options.legacy_mask):
            yield picture

    def attend(self, text: TextEmbedding, noise: Noise, options: AttnGANOptions) -> Attended:
        """The pictures, and the attention of the last scale."""
        read = self.damsm.reader(text)
        z, varied = self._drawn(noise, options)
        grown = self.tree(read, z, varied, legacy_mask=options.legacy_mask)
        attention = self.tree.branches[-1].attention
        assert isinstance(attention, Attention)
        return Attended(grown.pictures[-1], attention.maps(grown.features[-1], read, options.legacy_mask))

    def _drawn(self, noise: Noise, options: AttnGANOptions) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b c"]]:
        """The noise of the picture and that of the condition."""
        z = options.truncation * noise.normal(self.config.noise_dim)
        return z, options.variation * noise.normal(self.config.condition_dim)
