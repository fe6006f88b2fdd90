"""`t2i judge train`: an image-text encoder that knows one's own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import progress, report_json, say
from t2i.cli.options import FitOption, PositionOption
from t2i.data.fit import Fitting

judge = typer.Typer(help="Train an evaluator's encoder on your own pictures.", no_args_is_help=True)


@judge.callback()
def _verbs() -> None:
    """Train an evaluator's encoder on your own pictures."""


@judge.command()
def train(
    data: Annotated[str, typer.Argument(help="A dataset's name, or a folder of captioned pictures.")],
    fit: FitOption = "crop",
    position: PositionOption = "centre",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train an image-text encoder on this data; from then on, r_precision uses it for this data.

    Do not train it on pictures that will be scored (see t2i data split): it would know their captions already.
    """
    from t2i.create import load_dataset
    from t2i_metrics.train_judge import train_judge

    found = train_judge(load_dataset(data).fitted(Fitting(fit, position)), progress)
    if as_json:
        report_json(found.model_dump())
        return
    chance = f"; by chance it would be {1 / found.among:.0%}"
    if found.right is not None:
        rank = f"{found.right:.0%} of pictures rank their caption first of {found.among}"
        say(f"On groups it had not seen, {rank}{chance}.")
    where = f" ({found.location})" if found.location else ""
    say(f"r_precision uses it for {found.data}{where} from now on, as judge:{found.name}.")


@judge.command("convert-image-reward")
def convert_image_reward(
    checkpoint: Annotated[Path, typer.Argument(help="The authors' ImageReward.pt.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The new folder.")],
    tokenizer: Annotated[
        str, typer.Option(help="BERT's files: a folder or org/name.")
    ] = "google-bert/bert-base-uncased",
) -> None:
    """Turn ImageReward's checkpoint into safetensors for the evaluator image_reward; nothing in it is executed."""
    from t2i_metrics.convert_reward import convert_reward

    convert_reward(checkpoint, out, tokenizer)
    say(f"{out}: use it as --setting image_reward.model={out}")
