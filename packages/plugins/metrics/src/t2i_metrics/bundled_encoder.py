"""The bundled image-text encoder, which needs no network: a frozen ImageNet backbone, MiniLM and two small heads."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from t2i.create import create_text_encoder
from t2i.errors import IntegrityError, SnapshotError
from t2i.files import sha256_of
from t2i_metrics.image_text import BUNDLED, ImageTextEncoder
from t2i_metrics.networks import efficientnet_lite0
from t2i_metrics.protocols import PROTOCOLS
from t2i_metrics.weights import read_weights

TEXT_ENCODER = "minilm"
TEXT_DIM = 384
SEEN_SIDE, NETWORK_SIDE = 64, 96  # px: pictures are resized to the first, then enlarged to the second
THUMB_SIDE = 8  # px
STAGES = {1: 24, 2: 40, 4: 112}  # blocks of the backbone whose channel means are used: number of channels
FEATURES = 3 * THUMB_SIDE**2 + sum(STAGES.values()) + 1280
AT_ONCE = 64
WEIGHTS = "heads/model.safetensors"
SHA256 = "f95db73c350a7d57c393838906ea59088958ca8d62394fe48af179071eff47de"


@final
class PictureFeatures(nn.Module):
    """The features of a picture: a thumbnail, and channel means of efficientnet_lite0 at four depths."""

    def __init__(self) -> None:
        """
        Raises:
            OfflineError, IntegrityError: the backbone's weights are not installed, or not the published ones.
        """
        super().__init__()
        self.backbone: Any = efficientnet_lite0(read_weights(PROTOCOLS["effnet-lite0"].weights.find())).body

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b f"]:
        """FEATURES numbers for each of b pictures in [-1, 1], of any size."""
        if images.shape[-2:] != (SEEN_SIDE, SEEN_SIDE):
            images = _resized(images, SEEN_SIDE)
        kept = [F.adaptive_avg_pool2d(images, THUMB_SIDE).flatten(1)]
        x = _resized(images, NETWORK_SIDE).contiguous(memory_format=torch.channels_last)
        x = self.backbone.bn1(self.backbone.conv_stem(x))
        for number, block in enumerate(self.backbone.blocks):
            x = block(x)
            if number in STAGES:
                kept.append(x.mean((2, 3)))
        x = self.backbone.bn2(self.backbone.conv_head(x))
        return torch.cat([*kept, x.mean((2, 3))], dim=1)


@final
class Heads(nn.Module):
    """The trained part: maps picture features and sentence embeddings into one space."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, hidden: int = 256, dim: int = 128) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.pictures = _mlp(FEATURES, hidden, dim, dropout=0.2)
        self.captions = _mlp(TEXT_DIM, hidden, dim, dropout=0.1)

    def of_pictures(self, features: Float[Tensor, "b f"]) -> Float[Tensor, "b d"]:
        """Vectors of length 1 for the features of pictures."""
        return F.normalize(self.pictures((features - self.mean) / self.deviation), dim=1)

    def of_captions(self, sentences: Float[Tensor, "b t"]) -> Float[Tensor, "b d"]:
        """Vectors of length 1 for the sentence embeddings of MiniLM."""
        return F.normalize(self.captions(sentences), dim=1)


@final
class BundledEncoder(ImageTextEncoder):
    """The bundled encoder, trained on OpenMoji's split `train` only (`nox -s train-heads`).

    It sees pictures at 64 px. Its card, heads/README.md, says how often it is right about unseen real pictures.
    """

    def __init__(self, weights: Path | None = None, data: str = "OpenMoji", name: str = BUNDLED) -> None:
        """
        Args:
            weights: heads of your own; the bundled ones by default.
            data: what they were trained on; for heads of your own, the dataset's name.
            name: the encoder's.

        Raises:
            IntegrityError: the bundled heads or the backbone's weights are not the published ones.
            OfflineError: the backbone's weights are not installed.
            SnapshotError: `weights` holds no heads.
        """
        path = weights or Path(str(files("t2i_metrics"))) / WEIGHTS
        self._heads, self._sha256 = read_heads(path, None if weights else SHA256)
        self._features = PictureFeatures().eval()
        self._text = create_text_encoder(TEXT_ENCODER)
        self._device = torch.device("cpu")
        self._name, self._data = name, data

    @property
    def name(self) -> str:
        return self._name

    @property
    def sha256(self) -> str:
        return self._sha256

    @property
    def protocol(self) -> dict[str, str]:
        return {"resize": f"bicubic antialiased {SEEN_SIDE}, bicubic {NETWORK_SIDE}"}

    @property
    def trained_on(self) -> str:
        return self._data

    @torch.inference_mode()
    def images(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        if images.device != self._device:
            self.to(images.device)
        parts = torch.split(images, AT_ONCE)
        return torch.cat([self._heads.of_pictures(self._features(part)) for part in parts]).cpu()

    @torch.inference_mode()
    def captions(self, captions: Sequence[str]) -> Float[Tensor, "b d"]:
        return self._heads.of_captions(self._text.encode(captions).sentence.to(self._device)).cpu()

    def to(self, device: torch.device | str) -> BundledEncoder:
        self._device = torch.device(device)
        self._heads.to(self._device)
        self._features.to(self._device)
        self._text.to(self._device)
        return self


def read_heads(path: Path, sha256: str | None = None) -> tuple[Heads, str]:
    """Trained heads, and their file's sha256.

    Raises:
        SnapshotError: `path` holds no heads.
        IntegrityError: its sha256 is not `sha256`.
    """
    try:
        found, tensors = sha256_of(path), load_file(path)
    except (OSError, SafetensorError) as error:
        raise SnapshotError(
            f"The heads of the image-text encoder cannot be read from {path} ({error}). Install t2i-metrics again."
        ) from None
    if sha256 not in (None, found):
        raise IntegrityError(
            f"The sha256 of {path} must be {sha256}, but it is {found}: the file is damaged or was changed. "
            f"Install it again (pip install --force-reinstall --no-deps t2i-metrics)."
        )
    heads = Heads()
    try:
        heads.load_state_dict(tensors)
    except RuntimeError as error:
        raise SnapshotError(f"{path} does not hold the heads of this encoder: {error}") from None
    return heads.eval().requires_grad_(False), found


def _mlp(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(inputs, hidden),
        nn.GELU(),
        nn.LayerNorm(hidden),
        nn.Dropout(dropout),
        nn.Linear(hidden, outputs),
    )


def _resized(images: Tensor, side: int) -> Tensor:
    return F.interpolate(images, size=(side, side), mode="bicubic", align_corners=False, antialias=True).clamp(-1, 1)
