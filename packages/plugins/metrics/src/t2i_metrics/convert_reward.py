"""ImageReward's released checkpoint as a folder that `RewardModel` reads: renamed, and saved as safetensors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from t2i.errors import SnapshotError
from t2i.files import atomic_folder
from t2i.hub.download import download
from t2i.hub.layout import CONFIG, WEIGHTS
from t2i.snapshots.foreign import read_checkpoint
from t2i_metrics.reward_model import RewardNetwork

TOKENIZER = "google-bert/bert-base-uncased"  # as in BLIP's code, which adds two tokens that are not used here
TOKENIZER_FILES = ("vocab.txt", "tokenizer.json*", "tokenizer_config.json*")  # with a wildcard: need not exist
HEAD = 64  # width of an attention head in every published BLIP
RENAMED = (  # (pattern, replacement), in this order
    (r"^blip\.text_encoder\.", "text_encoder."),
    (r"^blip\.visual_encoder\.cls_token$", "vision_model.embeddings.class_embedding"),
    (r"^blip\.visual_encoder\.pos_embed$", "vision_model.embeddings.position_embedding"),
    (r"^blip\.visual_encoder\.patch_embed\.proj\.", "vision_model.embeddings.patch_embedding."),
    (r"^blip\.visual_encoder\.norm\.", "vision_model.post_layernorm."),
    (r"^blip\.visual_encoder\.blocks\.(\d+)\.norm([12])\.", r"vision_model.encoder.layers.\1.layer_norm\2."),
    (r"^blip\.visual_encoder\.blocks\.(\d+)\.attn\.qkv\.", r"vision_model.encoder.layers.\1.self_attn.qkv."),
    (r"^blip\.visual_encoder\.blocks\.(\d+)\.attn\.proj\.", r"vision_model.encoder.layers.\1.self_attn.projection."),
    (r"^blip\.visual_encoder\.blocks\.(\d+)\.mlp\.", r"vision_model.encoder.layers.\1.mlp."),
    *((rf"^mlp\.layers\.{place}\.", f"mlp.{number}.") for number, place in enumerate((0, 2, 4, 6, 7))),
)
UNUSED = re.compile(r"^blip\.(vision_proj|text_proj|itm_head|temp|queue)|\.position_ids$")


def convert_reward(checkpoint: Path, out: Path, tokenizer: str = TOKENIZER) -> None:
    """Write the new folder `out`.

    Args:
        checkpoint: the authors' ImageReward.pt; nothing in it is executed.
        tokenizer: a folder or "org/name" with the files of BERT's tokenizer.

    Raises:
        SnapshotError: the checkpoint is another network's, or the tokenizer has no vocabulary.
        OfflineError, OutputError: the tokenizer cannot be fetched, or `out` cannot be written.
    """
    import transformers

    library: Any = transformers
    tensors = renamed(read_checkpoint(checkpoint), checkpoint)
    config = library.BlipConfig(**shape_of(tensors, checkpoint))
    network = RewardNetwork(config)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise _not_one(checkpoint, str(error).splitlines()[-1].strip()) from None
    source = Path(tokenizer)
    if not source.is_dir():
        source, _ = download(tokenizer, None, TOKENIZER_FILES)
    try:
        words = library.AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotError(
            f"{tokenizer} has no tokenizer that can be read ({error}). Give BERT's: --tokenizer FOLDER"
        ) from None
    side = config.vision_config.image_size
    with atomic_folder(out) as folder:
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / WEIGHTS)
        words.save_pretrained(folder)
        library.CLIPImageProcessor(size={"shortest_edge": side}, crop_size=side).save_pretrained(folder)
        (folder / CONFIG).write_text(json.dumps(config.to_dict(), indent=2) + "\n")


def renamed(tensors: Mapping[str, Tensor], where: Path) -> dict[str, Tensor]:
    """The authors' tensors by the names that transformers' BLIP has.

    Raises:
        SnapshotError: a name belongs to another network.
    """
    found = {}
    for name, tensor in tensors.items():
        if UNUSED.search(name):
            continue
        for pattern, replacement in RENAMED:
            new, count = re.subn(pattern, replacement, name)
            if count:
                found[new] = tensor.float()
                break
        else:
            raise _not_one(where, f"it has {name[:80]!r}")
    return found


def shape_of(tensors: Mapping[str, Tensor], where: Path) -> dict[str, Any]:
    """The settings of a BlipConfig for these tensors.

    Raises:
        SnapshotError: a tensor is missing.
    """
    try:
        places, width = tensors["vision_model.embeddings.position_embedding"].shape[1:]
        patch = tensors["vision_model.embeddings.patch_embedding.weight"].shape[-1]
        vocabulary, text_width = tensors["text_encoder.embeddings.word_embeddings.weight"].shape
        longest = len(tensors["text_encoder.embeddings.position_embeddings.weight"])
        vision_inner = len(tensors["vision_model.encoder.layers.0.mlp.fc1.weight"])
        text_inner = len(tensors["text_encoder.encoder.layer.0.intermediate.dense.weight"])
    except (KeyError, ValueError) as error:
        raise _not_one(where, f"it lacks {error}") from None
    vision = {
        "image_size": round((places - 1) ** 0.5) * patch,
        "patch_size": patch,
        "layer_norm_eps": 1e-6,  # of BLIP's own vision transformer
        "intermediate_size": vision_inner,
        **_shape(tensors, "vision_model.encoder.layers", width),
    }
    text = {
        "vocab_size": vocabulary,
        "max_position_embeddings": longest,
        "encoder_hidden_size": width,
        "intermediate_size": text_inner,
        "is_decoder": True,  # has attention to the picture
        **_shape(tensors, "text_encoder.encoder.layer", text_width),
    }
    return {"vision_config": vision, "text_config": text}


def _shape(tensors: Mapping[str, Tensor], layers: str, width: int) -> dict[str, int]:
    numbers = {name[len(layers) + 1 :].partition(".")[0] for name in tensors if name.startswith(f"{layers}.")}
    return {"hidden_size": width, "num_attention_heads": width // HEAD, "num_hidden_layers": len(numbers)}


def _not_one(where: Path, reason: str) -> SnapshotError:
    return SnapshotError(f"{where} is not ImageReward's checkpoint: {reason}. Download ImageReward.pt again.")
