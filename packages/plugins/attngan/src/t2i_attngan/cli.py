"""`t2i convert-damsm`: the released text encoder and its vocabulary as one safe file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def convert_damsm(
    checkpoint: Annotated[Path, typer.Argument(help="RNN_ENCODER's state_dict, such as text_encoder200.pth.")],
    vocabulary: Annotated[Path, typer.Argument(help="Its words in order: a JSON list, or a text file, one per line.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The new file, such as birds-text.safetensors.")],
) -> None:
    """Turn DAMSM's released text encoder into a file for `damsm:FILE`: nothing in the checkpoint is executed."""
    from safetensors.torch import save

    from t2i.cli.console import say
    from t2i.errors import OutputError
    from t2i.files import write_atomic
    from t2i.snapshots.foreign import read_checkpoint
    from t2i_attngan.official import text_encoder
    from t2i_attngan.text_encoder import VOCABULARY
    from t2i_attngan.vocabulary import read_vocabulary

    if out.exists():
        raise OutputError(f"{out} already exists, and is not overwritten. Choose another name.")
    tensors = text_encoder(read_checkpoint(checkpoint))
    words = read_vocabulary(vocabulary, len(tensors["table.weight"]))
    contents = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_atomic(out, save(contents, metadata={VOCABULARY: json.dumps(words)}))
    say(f"{out}: {len(words):,} words; use it as --text-encoder damsm:{out}")
