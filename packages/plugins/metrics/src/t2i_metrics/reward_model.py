"""ImageReward's network: BLIP reads a picture and a caption together, and a few linear layers give a number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2i.errors import InvalidInputError, SnapshotError
from t2i.files import read_json, sha256_of
from t2i.hub.download import download
from t2i.hub.layout import CONFIG, MAX_CONFIG_BYTES, WEIGHTS
from t2i.images import to_uint8

UNTRAINED = "untrained"  # fresh weights of a tiny network: for checks
FILES = ["*.json", "*.txt", WEIGHTS]  # no pickle is ever read
TOKENS = 35  # of a caption that are read, as in the authors' code
MEAN, DEVIATION = 0.16717362830052426, 1.0333394966054072  # of rewards on the authors' data, from their code
HIDDEN = (1024, 128, 64, 16, 1)  # widths of the linear layers; in the authors' code, too, nothing is between them
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class RewardNetwork(nn.Module):
    """BLIP's two encoders (Li et al. 2022) and the layers that read the caption's first token."""

    def __init__(self, config: Any) -> None:
        """
        Args:
            config: a BlipConfig.
        """
        import transformers

        library: Any = transformers  # its classes are untyped
        super().__init__()
        self.vision_model = library.BlipVisionModel(config.vision_config)
        self.text_encoder = library.BlipTextModel(config.text_config, add_pooling_layer=False)
        widths = (config.text_config.hidden_size, *HIDDEN)
        self.mlp = nn.Sequential(*(nn.Linear(a, b) for a, b in zip(widths, HIDDEN, strict=False)))

    def forward(self, pixels: Float[Tensor, "b 3 h w"], ids: Tensor, mask: Tensor) -> Float[Tensor, " b"]:
        """Rewards with mean 0 and standard deviation 1 on the authors' data."""
        seen = self.vision_model(pixel_values=pixels).last_hidden_state
        read = self.text_encoder(input_ids=ids, attention_mask=mask, encoder_hidden_states=seen).last_hidden_state
        rewards: Tensor = self.mlp(read[:, 0])[:, 0]
        return (rewards - MEAN) / DEVIATION


@final
class RewardModel:
    """A frozen reward network in float32, with its tokenizer and its preparation of pictures."""

    def __init__(self, reference: str) -> None:
        """
        Args:
            reference: a folder, "org/name[@revision]", or "untrained".

        Raises:
            InvalidInputError: `reference` is not a repository's name.
            OfflineError: it is not on this machine and the Hub cannot be reached.
            SnapshotError: it is not what `t2i judge convert-image-reward` writes.
        """
        self.name = reference
        if reference == UNTRAINED:
            self.sha256 = UNTRAINED
            self._network, self._tokenizer, self._processor = untrained()
        else:
            folder = Path(reference)
            if not folder.is_dir():
                repo, _, revision = reference.partition("@")
                folder, commit = download(repo, revision or None, FILES)
                self.name = f"{repo}@{commit}"
            self._network, self._tokenizer, self._processor = _load(folder, reference)
            self.sha256 = sha256_of(folder / WEIGHTS)
        self._network.eval().requires_grad_(False)
        self._device = torch.device("cpu")

    @property
    def protocol(self) -> dict[str, str]:
        """How it prepares a picture; part of a score's protocol."""
        return {"resize": f"its own image processor, {self._network.vision_model.config.image_size} px"}

    @torch.inference_mode()
    def rewards(self, images: Float[Tensor, "b 3 h w"], captions: Sequence[str]) -> Float[Tensor, " b"]:
        """The reward of each picture for its caption, on the CPU; the network moves to the pictures' device.

        Raises:
            InvalidInputError: a caption is empty.
        """
        if not all(caption.strip() for caption in captions):
            raise InvalidInputError(f"image_reward needs captions that are not empty, got {list(captions)[:4]!r}.")
        if images.device != self._device:
            self._device = images.device
            self._network.to(self._device)
        pixels = self._processor(images=list(to_uint8(images)), return_tensors="pt")["pixel_values"]
        words = self._tokenizer(
            list(captions), padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
        )
        parts = (pixels, words["input_ids"], words["attention_mask"])
        found: Tensor = self._network(*(part.to(self._device) for part in parts))
        return found.float().cpu()


def untrained() -> tuple[RewardNetwork, Any, Any]:
    """A tiny network with random weights, the same every time, its tokenizer and its image processor."""
    import transformers

    library: Any = transformers
    vocabulary = [*SPECIAL, *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)]
    shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}
    text = {"vocab_size": len(vocabulary), "encoder_hidden_size": 64, "max_position_embeddings": TOKENS}
    config = library.BlipConfig(
        text_config=shape | text | {"is_decoder": True}, vision_config=shape | {"image_size": 32, "patch_size": 16}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = RewardNetwork(config)
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.2)
    tokenizer = library.BertTokenizer(vocab={word: place for place, word in enumerate(vocabulary)})
    return network, tokenizer, library.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)


def _load(folder: Path, reference: str) -> tuple[RewardNetwork, Any, Any]:
    import transformers
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    library: Any = transformers
    trusted = {"trust_remote_code": False, "local_files_only": True}
    try:
        network = RewardNetwork(library.BlipConfig(**read_json(folder / CONFIG, MAX_CONFIG_BYTES)))
        network.load_state_dict(load_file(folder / WEIGHTS))
        tokenizer = library.AutoTokenizer.from_pretrained(folder, **trusted)
        processor = library.AutoImageProcessor.from_pretrained(folder, **trusted)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, SafetensorError) as error:
        raise SnapshotError(
            f"{reference} is not a reward model that can be read ({error}). Write one from the authors' weights: "
            f"t2i judge convert-image-reward ImageReward.pt -o FOLDER"
        ) from error
    return network, tokenizer, processor
