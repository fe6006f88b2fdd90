"""Reads checkpoints of the authors' own code (StackGAN-Pytorch and StackGAN-v2) as our generators.

The tables map their modules to ours; <n>, <r> and <m> are numbers. Sizes are inferred from the tensors' shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from t2i.config import parse_config
from t2i.snapshots.foreign import Converted, axis_size, filled, numbered, renamed
from t2i.text import EncoderIdentity
from t2i_stackgan.config import StackGANConfig, StackGANv2Config
from t2i_stackgan.generator import StackGAN, StackGANv2

STAGE_ONE = {
    "ca_net.fc": "augmentation.fc",
    "fc.<n>": "trunk.start.<n>",
    "upsample<n>.1": "trunk.ups.<n-1>.0",
    "upsample<n>.2": "trunk.ups.<n-1>.1",
    "img.0": "to_rgb",
}
STAGE_TWO = {
    "ca_net.fc": "augmentation.fc",
    "encoder.0": "encoder.0.0",
    "encoder.2": "encoder.1.0",
    "encoder.3": "encoder.1.1",
    "encoder.5": "encoder.2.0",
    "encoder.6": "encoder.2.1",
    "hr_joint.0": "joint.convolution",
    "hr_joint.1": "joint.norm",
    "residual.<r>.block.<m>": "residuals.<r>.body.<m>",
    "upsample<n>.1": "ups.<n-1>.0",
    "upsample<n>.2": "ups.<n-1>.1",
    "img.0": "to_rgb",
}
TREE = {
    "ca_net.fc": "augmentation.fc",
    "h_net1.fc.<n>": "trunk.start.<n>",
    "h_net1.upsample<n>.1": "trunk.ups.<n-1>.0",
    "h_net1.upsample<n>.2": "trunk.ups.<n-1>.1",
    "h_net<n>.jointConv.0": "branches.<n-2>.joint.convolution",
    "h_net<n>.jointConv.1": "branches.<n-2>.joint.norm",
    "h_net<n>.residual.<r>.block.<m>": "branches.<n-2>.residuals.<r>.body.<m>",
    "h_net<n>.upsample.1": "branches.<n-2>.up.0",
    "h_net<n>.upsample.2": "branches.<n-2>.up.1",
    "img_net<n>.img.0": "to_rgb.<n-1>",
}
NOTE = (
    "It needs char-CNN-RNN embeddings (Reed et al. 2016), which no installed encoder computes. Draw from your own "
    "embeddings in Python: model = t2i.from_pretrained(FOLDER).for_drawing(); "
    "model.generate(TextEmbedding.of_sentences(...), Noise([7]), model.options())"
)


def stackgan(tensors: Mapping[str, Tensor]) -> Converted:
    """StackGAN-Pytorch's netG of either stage; stage II's contains stage I as STAGE1_G.

    Raises:
        SnapshotError: the tensors are not exactly those of such a network.
    """
    inner = {name.removeprefix("STAGE1_G."): t for name, t in tensors.items() if name.startswith("STAGE1_G.")}
    one, two = (inner, {n: t for n, t in tensors.items() if not n.startswith("STAGE1_G.")}) if inner else (tensors, {})
    ups = numbered(one, "upsample{}.1.weight", first=1)
    config: dict[str, Any] = _text(one, "fc.0.weight", outputs=2) | {
        "augmentation": "relu",
        "widths": [axis_size(one, "fc.0.weight", 0) // 16, *(axis_size(one, name, 0) for name in ups)],
        "stages": 2 if two else 1,
    }
    ours = {f"stage_one.{name}": tensor for name, tensor in renamed(one, STAGE_ONE).items()}
    if two:
        ups = numbered(two, "upsample{}.1.weight", first=1)
        config |= {
            "encoder_widths": [axis_size(two, f"encoder.{layer}.weight", 0) for layer in (0, 2, 5)],
            "decoder_widths": [axis_size(two, name, 0) for name in ups],
            "residual_blocks": len(numbered(two, "residual.{}.block.0.weight", first=0)),
        }
        ours |= {f"stage_two.{name}": tensor for name, tensor in renamed(two, STAGE_TWO).items()}
    with torch.device("meta"):  # no memory for what may not fit
        generator = StackGAN(parse_config(StackGANConfig, config, "the sizes in netG's checkpoint"))
    return Converted(filled(generator, ours), _encoder(generator.text_dim), NOTE)


def stackgan_v2(tensors: Mapping[str, Tensor]) -> Converted:
    """StackGAN-v2's conditional netG of two to four scales, as their code builds it.

    Raises:
        SnapshotError: the tensors are not exactly those of such a network.
    """
    ups = numbered(tensors, "h_net1.upsample{}.1.weight", first=1)
    branches = numbered(tensors, "h_net{}.upsample.1.weight", first=2)
    config = _text(tensors, "h_net1.fc.0.weight", outputs=4) | {
        "augmentation": "glu",
        "widths": [
            axis_size(tensors, "h_net1.fc.0.weight", 0) // 32,
            *(axis_size(tensors, name, 0) // 2 for name in ups),
        ],
        "branch_widths": [axis_size(tensors, name, 0) // 2 for name in branches],
        "residual_blocks": [  # their fourth scale has one block, the others two
            len(numbered(tensors, f"h_net{scale}.residual.{{}}.block.0.weight", first=0))
            for scale in range(2, 2 + len(branches))
        ],
    }
    ours = {f"tree.{name}": tensor for name, tensor in renamed(tensors, TREE).items()}
    with torch.device("meta"):  # no memory for what may not fit
        generator = StackGANv2(parse_config(StackGANv2Config, config, "the sizes in netG's checkpoint"))
    return Converted(filled(generator, ours), _encoder(generator.text_dim), NOTE)


def _text(tensors: Mapping[str, Tensor], start: str, outputs: int) -> dict[str, Any]:
    """The settings that both share, as in the papers; ca_net has `outputs` numbers for each of the condition."""
    condition = axis_size(tensors, "ca_net.fc.weight", 0) // outputs
    return {
        "normalize_text": False,
        "skip": False,
        "text_dim": axis_size(tensors, "ca_net.fc.weight", 1),
        "condition_dim": condition,
        "noise_dim": axis_size(tensors, start, 1) - condition,
    }


def _encoder(dim: int) -> EncoderIdentity:
    return EncoderIdentity(name="char-cnn-rnn", revision="", sha256="", dim=dim)
