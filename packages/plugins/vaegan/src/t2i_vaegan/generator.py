"""The encoder and decoder of a VAE-GAN as a Generator."""

from __future__ import annotations

from typing import ClassVar, final

from t2i_cvae.generator import ConditionalVAE


@final
class VAEGAN(ConditionalVAE):
    """The networks of the conditional VAE, which the discriminator does not change: they draw, reconstruct and
    interpolate alike."""

    technique: ClassVar[str] = "vaegan"
