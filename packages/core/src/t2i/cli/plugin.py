"""The core's own verbs, declared as a plugin declares its verbs."""

from __future__ import annotations

from t2i.registry import CommandSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_commands() -> list[CommandSpec]:
    """Declare the verbs, in the order in which `t2i --help` lists them."""
    return [
        _verb("generate", "Draw prompts as pictures."),
        _verb("regenerate", "Draw a picture again from its own provenance."),
        _verb("compare", "Draw the same prompts with several models, on one sheet."),
        _verb("interpolate", "Draw the pictures between two captions or two seeds."),
        _verb("reconstruct", "Encode a picture with a model and decode it again."),
        _verb("models", "List models, installed or not, and their pretrained weights."),
        _verb("info", "Describe a model, or anything else a plugin declares."),
        _verb("recommend", "Recommend settings for your pictures and this machine."),
        _verb("train", "Train a technique on captioned pictures."),
        _verb("reference", "Compare a run's losses with its recipe's reference, or write that."),
        _verb("evaluate", "Score a model on a dataset."),
        _verb("leaderboard", "Score several models under one protocol."),
        _verb("data", "Look at a dataset, check every picture of it, pack it for training."),
        _verb("cache", "Show t2i's cache on this machine, and remove unused entries."),
        _verb("convert", "Turn a checkpoint of the authors' own code into a snapshot."),
        _verb("push", "Publish a model on the Hugging Face Hub."),
        CommandSpec("plugins", "t2i.cli.doctor:plugins", "List the installed plugins, and what each declares."),
        _verb("doctor", "Find what is wrong with this installation, and how to fix it."),
        _verb("check", "Check everything that a plugin declares."),
        _verb("new", "Write a small plugin project."),
    ]


def _verb(name: str, summary: str) -> CommandSpec:
    return CommandSpec(name, f"t2i.cli.{name}:{name}", summary)
