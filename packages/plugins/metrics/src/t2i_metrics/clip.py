"""Any CLIP (Radford et al. 2021) from the Hugging Face Hub or a folder, through transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidInputError, SnapshotError
from t2i.files import sha256_of
from t2i.hub.download import download
from t2i.hub.transformers_folder import check_files, check_tokenizer
from t2i.images import to_uint8
from t2i_metrics.image_text import ImageTextEncoder

FILES = ["*.json", "*.txt", "model.safetensors"]  # no pickle is ever read
CAPTIONS_AT_ONCE = 64


@final
class CLIP(ImageTextEncoder):
    """A frozen CLIP in float32, read from safetensors; no code of its repository is run.

    Pictures are prepared as its preprocessor_config.json says.
    """

    def __init__(self, reference: str) -> None:
        """Load it: the first time from the Hub, later from the Hugging Face cache.

        Args:
            reference: "org/name", "org/name@revision", or a local folder.

        Raises:
            InvalidInputError: `reference` is neither a repository's name nor a folder.
            OfflineError: it is not on this machine and the Hub cannot be reached.
            SnapshotError: the Hub has no such repository; or it has no safetensors, lacks a weight, or is not a CLIP.
        """
        if Path(reference).is_dir():
            folder, self._name = Path(reference), f"clip:{reference}"
        else:
            repo, _, revision = reference.partition("@")
            folder, commit = download(repo, revision or None, FILES)
            self._name = f"clip:{repo}@{commit}"
        if not (folder / "model.safetensors").is_file():
            raise SnapshotError(
                f"A CLIP needs model.safetensors, but {reference} has none, and pickled weights are never read. "
                f"Convert them with transformers' `save_pretrained`, or choose another CLIP."
            )
        check_files(folder, FILES)
        self._sha256 = sha256_of(folder / "model.safetensors")
        self._network, self._tokenizer, self._processor = _load(folder, reference)
        self._device = torch.device("cpu")

    @property
    def name(self) -> str:
        """ "clip:org/name@commit", or "clip:folder"."""
        return self._name

    @property
    def sha256(self) -> str:
        return self._sha256

    @property
    def protocol(self) -> dict[str, str]:
        side = self._network.config.vision_config.image_size
        return {"resize": f"its own image processor, {side} px"}

    @property
    def trained_on(self) -> str:
        return "what its model card names"

    @property
    def scale(self) -> float:
        """exp of its logit scale, about 100 for published CLIPs."""
        return float(self._network.logit_scale.exp())

    @torch.inference_mode()
    def images(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        if images.device != self._device:
            self.to(images.device)
        pixels = self._processor(images=list(to_uint8(images)), return_tensors="pt")["pixel_values"]
        return self._unit(self._network.get_image_features(pixel_values=pixels.to(self._device)))

    @torch.inference_mode()
    def captions(self, captions: Sequence[str]) -> Float[Tensor, "b d"]:
        if not captions or not all(caption.strip() for caption in captions):
            raise InvalidInputError(f"A CLIP needs at least one caption and no empty one, got {list(captions)[:4]!r}.")
        rows = []
        for start in range(0, len(captions), CAPTIONS_AT_ONCE):
            chunk = list(captions[start : start + CAPTIONS_AT_ONCE])
            longest = self._network.config.text_config.max_position_embeddings
            words = self._tokenizer(chunk, padding=True, truncation=True, max_length=longest, return_tensors="pt")
            features = self._network.get_text_features(
                input_ids=words["input_ids"].to(self._device), attention_mask=words["attention_mask"].to(self._device)
            )
            rows.append(self._unit(features))
        return torch.cat(rows)

    def to(self, device: torch.device | str) -> CLIP:
        self._device = torch.device(device)
        self._network.to(self._device)
        return self

    @staticmethod
    def _unit(features: Any) -> Float[Tensor, "b d"]:
        # transformers 5 returns the projection as `pooler_output`; transformers 4 returned the tensor itself.
        projected = features if isinstance(features, Tensor) else features.pooler_output
        return F.normalize(projected.float(), dim=1).cpu()


def _load(folder: Path, reference: str) -> tuple[Any, Any, Any]:
    import transformers

    auto: Any = transformers  # its loaders are untyped
    trusted = {"trust_remote_code": False, "local_files_only": True}
    try:
        network, report = auto.CLIPModel.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, local_files_only=True
        )
        tokenizer = auto.AutoTokenizer.from_pretrained(folder, **trusted)
        processor = auto.AutoImageProcessor.from_pretrained(folder, **trusted)
        check_tokenizer(tokenizer)
    except Exception as error:  # transformers raises any exception for an unexpected folder
        raise SnapshotError(
            f"'clip:{reference}' must be a CLIP, but transformers cannot load it: {error}. Choose another."
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:  # transformers would fill them with random numbers
        raise SnapshotError(
            f"'clip:{reference}' must be a CLIP, but its model.safetensors lacks {len(missing)} weights, such as "
            f"{missing[0]!r}. Choose another."
        )
    return network.eval().requires_grad_(False), tokenizer, processor
