"""Reads checkpoints of the authors' own code (DF-GAN) as our generator.

The table maps their modules to ours; <n>, <f> and <a> are numbers. Sizes are inferred from the tensors' shapes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from t2i.config import parse_config
from t2i.snapshots.foreign import Converted, axis_size, filled, numbered, renamed
from t2i.text import EncoderIdentity
from t2i_dfgan.config import BASE, DFGANConfig
from t2i_dfgan.generator import DFGAN

NETWORK = {
    "fc": "network.fc",
    "GBlocks.<n>.c1": "network.blocks.<n>.conv1",
    "GBlocks.<n>.c2": "network.blocks.<n>.conv2",
    "GBlocks.<n>.c_sc": "network.blocks.<n>.skip",
    "GBlocks.<n>.fuse<f>.affine<a>.fc_gamma.linear1": "network.blocks.<n>.fuse<f>.affines.<a>.gamma.0",
    "GBlocks.<n>.fuse<f>.affine<a>.fc_gamma.linear2": "network.blocks.<n>.fuse<f>.affines.<a>.gamma.2",
    "GBlocks.<n>.fuse<f>.affine<a>.fc_beta.linear1": "network.blocks.<n>.fuse<f>.affines.<a>.beta.0",
    "GBlocks.<n>.fuse<f>.affine<a>.fc_beta.linear2": "network.blocks.<n>.fuse<f>.affines.<a>.beta.2",
    "to_rgb.1": "network.to_rgb",
}
NOTE = (
    "It needs the sentence embeddings of DAMSM's text encoder (Xu et al. 2018). Convert that encoder (t2i "
    "convert-damsm, of t2i-attngan), then convert the model again with --text-encoder damsm:FILE. Or draw "
    "from your own embeddings in Python: model = t2i.from_pretrained(FOLDER).for_drawing(); "
    "model.generate(TextEmbedding.of_sentences(...), Noise([7]), model.options())"
)


def dfgan(tensors: Mapping[str, Tensor]) -> Converted:
    """The released code's netG.

    Raises:
        SnapshotError: the tensors are not exactly those of such a network.
    """
    noise_dim = axis_size(tensors, "fc.weight", 1)
    condition = axis_size(tensors, "GBlocks.0.fuse1.affine0.fc_gamma.linear1.weight", 1)
    blocks = numbered(tensors, "GBlocks.{}.c1.weight", first=0)
    config = {
        "text_dim": condition - noise_dim,
        "normalize_text": False,
        "normalize_features": False,
        "noise_dim": noise_dim,
        "widths": [axis_size(tensors, "fc.weight", 0) // BASE**2, *(axis_size(tensors, name, 0) for name in blocks)],
        "patch": 1,
    }
    with torch.device("meta"):  # no memory for what may not fit
        generator = DFGAN(parse_config(DFGANConfig, config, "the sizes in netG's checkpoint"))
    encoder = EncoderIdentity(name="damsm", revision="", sha256="", dim=generator.text_dim)
    return Converted(filled(generator, renamed(tensors, NETWORK)), encoder, NOTE)
