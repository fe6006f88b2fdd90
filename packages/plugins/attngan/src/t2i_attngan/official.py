"""Reads checkpoints of the authors' own code (AttnGAN): netG as our generator, RNN_ENCODER as our text encoder.

The tables map their modules to ours; <n>, <r> and <m> are numbers. Sizes are read off the tensors' shapes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from t2i.config import parse_config
from t2i.errors import SnapshotError
from t2i.snapshots.foreign import Converted, axis_size, filled, numbered, renamed
from t2i.text import EncoderIdentity
from t2i_attngan.config import AttnGANConfig
from t2i_attngan.generator import AttnGAN

TREE = {
    "ca_net.fc": "tree.augmentation.fc",
    "h_net1.fc.<n>": "tree.trunk.start.<n>",
    "h_net1.upsample<n>.1": "tree.trunk.ups.<n-1>.0",
    "h_net1.upsample<n>.2": "tree.trunk.ups.<n-1>.1",
    "h_net<n>.att.conv_context": "tree.branches.<n-2>.attention.context",
    "h_net<n>.residual.<r>.block.<m>": "tree.branches.<n-2>.residuals.<r>.body.<m>",
    "h_net<n>.upsample.1": "tree.branches.<n-2>.up.0",
    "h_net<n>.upsample.2": "tree.branches.<n-2>.up.1",
    "img_net<n>.img.0": "tree.to_rgb.<n-1>",
}
NOTE = (
    "It needs DAMSM's text encoder, with which it was trained. Convert that with t2i convert-damsm, and then this "
    "checkpoint again, with --text-encoder damsm:FILE."
)
RNN = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def attngan(tensors: Mapping[str, Tensor]) -> Converted:
    """The released code's netG, of two or three scales.

    Raises:
        SnapshotError: the tensors are not exactly those of such a network.
    """
    word_dim = axis_size(tensors, "ca_net.fc.weight", 1)
    condition = axis_size(tensors, "ca_net.fc.weight", 0) // 4
    ups = numbered(tensors, "h_net1.upsample{}.1.weight", first=1)
    branches = numbered(tensors, "h_net{}.upsample.1.weight", first=2)
    config = {
        "text_dim": word_dim,
        "reader": "none",
        "word_dim": word_dim,
        "backbone": "",
        "condition_dim": condition,
        "noise_dim": axis_size(tensors, "h_net1.fc.0.weight", 1) - condition,
        "normalize_text": False,
        "widths": [
            axis_size(tensors, "h_net1.fc.0.weight", 0) // 32,
            *(axis_size(tensors, name, 0) // 2 for name in ups),
        ],
        "branch_widths": [axis_size(tensors, name, 0) // 2 for name in branches],
        "residual_blocks": [
            len(numbered(tensors, f"h_net{scale}.residual.{{}}.block.0.weight", first=0))
            for scale in range(2, 2 + len(branches))
        ],
        "skip": False,
    }
    ours = {name: _without_pixels(name, tensor) for name, tensor in renamed(tensors, TREE).items()}
    with torch.device("meta"):  # no memory for what may not fit
        generator = AttnGAN(parse_config(AttnGANConfig, config, "the sizes in netG's checkpoint"))
    encoder = EncoderIdentity(name="damsm", revision="", sha256="", dim=word_dim)
    return Converted(filled(generator, ours), encoder, NOTE)


def text_encoder(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The released RNN_ENCODER under our names: a table of words, and an LSTM for each direction.

    Raises:
        SnapshotError: the tensors are not exactly those of a bidirectional LSTM over a table of words.
    """
    table = {"encoder.weight": "table.weight"}
    for ours, suffix in (("there", ""), ("back", "_reverse")):
        table |= {f"rnn.{name}{suffix}": f"reader.{ours}.{name}" for name in RNN}
    if tensors.keys() != table.keys():
        odd = sorted(tensors.keys() ^ table.keys())[:5]
        raise SnapshotError(
            f"DAMSM's text encoder has the tensors {', '.join(table)}; this checkpoint differs in {', '.join(odd)}. "
            f"Give the checkpoint of RNN_ENCODER, such as text_encoder200.pth."
        )
    words, inputs = axis_size(tensors, "encoder.weight", 0), axis_size(tensors, "encoder.weight", 1)
    states = axis_size(tensors, "rnn.weight_hh_l0", 1)
    shapes: dict[str, tuple[int, ...]] = {"weight_ih_l0": (4 * states, inputs), "weight_hh_l0": (4 * states, states)}
    wanted: dict[str, tuple[int, ...]] = {"encoder.weight": (words, inputs)}
    for name in table:
        part = name.removeprefix("rnn.").removesuffix("_reverse")
        shape = wanted.setdefault(name, shapes.get(part, (4 * states,)))
        if tuple(tensors[name].shape) != shape:
            raise SnapshotError(f"{name!r} must have the shape {shape}, got {tuple(tensors[name].shape)}.")
    return {ours: tensors[theirs].float() for theirs, ours in table.items()}


def _without_pixels(name: str, tensor: Tensor) -> Tensor:
    """A 1x1 convolution's weight as that of a linear layer."""
    return tensor[:, :, 0, 0] if name.endswith("context.weight") and tensor.shape[2:] == (1, 1) else tensor
