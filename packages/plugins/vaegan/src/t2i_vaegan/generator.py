"""The encoder and decoder of a VAE-GAN as a Generator."""

from __future__ import annotations

from typing import ClassVar, final

from t2i_cvae.generator import ConditionalVAE


@final
class VAEGAN(ConditionalVAE):
    """The networks of the conditional VAE, trained with a discriminator; it draws, reconstructs and interpolates as
    they do."""

    technique: ClassVar[str] = "vaegan"
