"""`t2i convert`: turn a checkpoint of the authors' own code into a snapshot."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import say
from t2i.errors import InvalidInputError


def convert(
    technique: Annotated[
        str, typer.Argument(help="The checkpoint's technique, such as stackgan-v2 (see `t2i models`).")
    ],
    checkpoint: Annotated[Path, typer.Argument(help="A state_dict that torch.save wrote, such as netG.pth.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The new snapshot's folder.")],
    text_encoder: Annotated[
        str | None, typer.Option(help="The text encoder it was trained with, such as damsm:birds-text.safetensors.")
    ] = None,
) -> None:
    """Turn a generator's checkpoint into a snapshot: nothing in it is executed, and every tensor must be used."""
    from t2i.registry.discovery import registry
    from t2i.registry.specs import ModelSpec, load_target

    spec, _ = registry().get(ModelSpec, technique)
    if not spec.converter:
        able = sorted(spec.name for spec, _ in registry().all(ModelSpec) if spec.converter)
        raise InvalidInputError(
            f"{technique!r} cannot convert checkpoints of other code. Techniques that can: {', '.join(able) or 'none'}."
        )
    from t2i.files import check_new, sha256_of

    check_new(out)
    from t2i.create import create_text_encoder
    from t2i.snapshots.foreign import Converted, read_checkpoint
    from t2i.snapshots.record import SnapshotFacts
    from t2i.snapshots.save import save_snapshot

    converted: Converted = load_target(spec.converter)(read_checkpoint(checkpoint))
    identity = converted.text_encoder
    if text_encoder is not None:
        identity = create_text_encoder(text_encoder).identity
        if identity.dim != converted.generator.text_dim:
            raise InvalidInputError(
                f"The checkpoint reads text embeddings of width {converted.generator.text_dim}, but {text_encoder} "
                f"returns {identity.dim}. Name the encoder it was trained with."
            )
    facts = SnapshotFacts(
        text_encoder=identity,
        source=f"{checkpoint.name}, sha256 {sha256_of(checkpoint)}",
        command=shlex.join(["t2i", *sys.argv[1:]]),
    )
    save_snapshot(converted.generator, out, facts)
    size = sum(parameter.numel() for parameter in converted.generator.parameters())
    say(f"{out}/: {technique}, {size / 1e6:.1f} M parameters, {converted.generator.resolution} px")
    if converted.note and text_encoder is None:
        say(converted.note)
