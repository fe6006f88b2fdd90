"""`t2i push`: publish a model on the Hugging Face Hub, with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import report, say, warn
from t2i.registry.names import ModelName


def push(
    model: Annotated[str, typer.Argument(help="A run folder, a snapshot or a model's name.")],
    repo: Annotated[str, typer.Argument(help="The repository, such as org/name; created if it does not exist.")],
    private: Annotated[bool, typer.Option("--private", help="Create a private repository.")] = False,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Open a pull request instead of a direct commit.")
    ] = False,
    revision: Annotated[str | None, typer.Option(help="The branch. Default: main.")] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="A prompt to draw for the card; repeatable.")] = None,
    to_folder: Annotated[
        Path | None, typer.Option("--to-folder", help="Write the files into this new folder instead.")
    ] = None,
) -> None:
    """Publish a model on the Hugging Face Hub; log in with `hf auth login` first. Prints the commit's address."""
    from t2i.publishing.push import Target, write_folder
    from t2i.publishing.push import push as publish

    target = Target(repo, private, create_pr, revision)
    if to_folder is not None:
        write_folder(model, target, to_folder, prompts=prompt or (), warn=warn)
        say(f"{to_folder}/: the files that would be published as {repo}; nothing was sent")
        return
    pushed = publish(model, target, prompts=prompt or (), warn=warn)
    report(pushed.address)
    if create_pr:
        say("The pull request is open; the repository's owners decide.")
    else:
        this_one = ModelName.on_hub(repo, pushed.commit)
        say(f'Draw with it: t2i generate "..." --model {target.name} (exactly this commit: {this_one})')
