"""R-precision by DAMSM, as in the paper (Xu et al. 2018, sec. 4.1): by the encoder that trained the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.create import create_text_encoder
from t2i.errors import InvalidInputError
from t2i.evaluator import Score
from t2i.snapshots.load import load_generator
from t2i.snapshots.resolve import resolve
from t2i_attngan.backbone import Backbone
from t2i_attngan.config import AttnGANConfig
from t2i_attngan.generator import AttnGAN
from t2i_metrics.image_text import ImageTextEncoder
from t2i_metrics.r_precision import RPrecision

UNTRAINED = "untrained"  # fresh weights of the default shape, which score at chance: for checks
AT_ONCE = 32
CAUTION = (
    "DAMSM's loss trains AttnGAN, so this score is too high for models of attngan. r_precision measures the same with "
    "an encoder that trained none."
)


@final
class DAMSMEncoder(ImageTextEncoder):
    """The two sides of a trained DAMSM as vectors of whole pictures and sentences."""

    def __init__(self, model: str) -> None:
        """
        Args:
            model: a trained attngan: "attngan.tag", a run folder, "hf-hub:org/repo"; or "untrained".

        Raises:
            InvalidInputError: it is another technique, or has no DAMSM, or one with a random backbone.
            UnknownNameError, PluginError, SnapshotError: there is no usable model of that name.
        """
        self._model = model
        if model == UNTRAINED:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                generator, text_encoder = AttnGAN(AttnGANConfig()).eval().requires_grad_(False), ""
            self._sha256, self._trained_on = UNTRAINED, "nothing"
        else:
            snapshot = resolve(model)
            generator = _attngan(load_generator(snapshot), model)
            facts = snapshot.config.facts
            text_encoder = facts.text_encoder.name if facts.text_encoder else ""
            self._sha256, self._trained_on = snapshot.config.weights_sha256, facts.dataset or "unknown data"
        self._damsm, self._config = generator.damsm, generator.config
        self._text = create_text_encoder(text_encoder) if text_encoder else create_text_encoder()
        self._backbone = Backbone(self._config)
        self._device = torch.device("cpu")

    @property
    def name(self) -> str:
        return f"damsm of {self._model}"

    @property
    def sha256(self) -> str:
        return self._sha256

    @property
    def protocol(self) -> dict[str, str]:
        side = self._config.backbone_side
        return {"resize": f"bilinear antialiased {side}", "backbone": self._config.backbone}

    @property
    def trained_on(self) -> str:
        return self._trained_on

    @torch.inference_mode()
    def images(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        if images.device != self._device:
            self.to(images.device)
        parts = [self._damsm.see(self._backbone(part)).whole for part in torch.split(images, AT_ONCE)]
        return torch.nn.functional.normalize(torch.cat(parts), dim=1).float().cpu()

    @torch.inference_mode()
    def captions(self, captions: Sequence[str]) -> Float[Tensor, "b d"]:
        text = self._text.encode(captions).to(self._device)
        parts = [self._damsm.reader(text[slice(at, at + AT_ONCE)]).sentence for at in range(0, len(text), AT_ONCE)]
        return torch.nn.functional.normalize(torch.cat(parts), dim=1).float().cpu()

    def to(self, device: torch.device | str) -> DAMSMEncoder:
        self._device = torch.device(device)
        self._damsm.to(self._device)
        self._backbone.to(self._device)
        self._text.to(self._device)
        return self


@final
class DAMSMPrecision(RPrecision):
    """The share of pictures that DAMSM finds closer to their own caption than to 99 of other groups.

    Every score carries a caution, because DAMSM's loss trained AttnGAN.
    """

    def __init__(
        self, model: str | DAMSMEncoder = "", *, distractors: int = 99, folds: int = 10, seed: int = 0
    ) -> None:
        """
        Args:
            model: whose DAMSM is used, as `DAMSMEncoder` takes it, or such an encoder; it must be given.
            distractors, folds, seed: as of `RPrecision`.

        Raises:
            InvalidInputError: no model is named.
            InvalidInputError, UnknownNameError, SnapshotError: as `DAMSMEncoder` and `RPrecision`.
        """
        if not model:
            raise InvalidInputError(
                "damsm needs the DAMSM of a trained attngan, but none is named. Train one (t2i train attngan "
                "--recipe world64 --out runs/attngan) and name it: --setting damsm.model=runs/attngan"
            )
        encoder = DAMSMEncoder(model) if isinstance(model, str) else model
        super().__init__(encoder, distractors=distractors, folds=folds, seed=seed)

    def compute(self) -> dict[str, Score]:
        """ "damsm", its floor "damsm_chance", and "damsm_ceiling" if real pictures were seen."""
        found = {name.replace("r_precision", "damsm"): score for name, score in super().compute().items()}
        return found | {"damsm": replace(found["damsm"], caution=f"{CAUTION} {found['damsm'].caution}".strip())}


def _attngan(generator: object, model: str) -> AttnGAN:
    if not isinstance(generator, AttnGAN):
        raise InvalidInputError(f"damsm.model must be a trained attngan, but {model} is another technique.")
    if not generator.config.backbone:
        raise InvalidInputError(f"{model} has no DAMSM: it was converted from a generator alone. Name another model.")
    if not generator.config.backbone_pretrained:
        raise InvalidInputError(
            f"{model}'s DAMSM compares features of a random backbone, which are not stored. Train with "
            f"model.backbone_pretrained=true."
        )
    return generator
