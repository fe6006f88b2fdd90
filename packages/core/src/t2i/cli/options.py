"""Options that several verbs share, and the functions that read their values; imports no torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2i.arguments import check_whole_number
from t2i.cli.console import say
from t2i.data.fit import Fit, Position
from t2i.errors import InvalidInputError, OutputError
from t2i.registry.describe import model_info, weights_spec
from t2i.registry.discovery import registry
from t2i.registry.names import ModelName, check_folder
from t2i.registry.specs import EvaluatorSpec, load_target
from t2i.uncollected import uncollected

if TYPE_CHECKING:
    from t2i.drawing.artist import Artist

MODEL_HELP = (
    "Model to use: technique[.tag], a run folder, local-dir:PATH, hf-hub:ORG/REPO[@REVISION] or a short name that "
    "`t2i models` lists."
)
ModelOption = Annotated[str, typer.Option("--model", help=MODEL_HELP)]
OwnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="NAME=VALUE", help="An option of the technique, such as truncation=0.8; repeatable."
    ),
]
FitOption = Annotated[
    Fit,
    typer.Option(help="Pictures that are not square: cut, padded with the colour of their edges, or squashed."),
]
PositionOption = Annotated[
    Position, typer.Option(help="crop: the part that is kept; pad: where the picture is placed (start: top or left).")
]
DeviceOption = Annotated[str | None, typer.Option(help="Device to run on: cpu, cuda or mps. Default: the accelerator.")]
MemoryOption = Annotated[
    str,
    typer.Option(
        metavar="low|auto|fast",
        help="Memory of a large model. low: least memory, slower; fast: all on the device; auto: whatever fits.",
    ),
]
LoraOption = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        metavar="MODEL",
        help="A LoRA to load on top: a .safetensors file, folder or hf-hub:ORG/REPO; repeatable.",
    ),
]
AcceptNewOption = Annotated[
    bool, typer.Option("--accept-new", help="Use the new files of a repository that has changed since its first use.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Start a large download without asking.")]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="local[:N]|ray[://HOST:PORT]",
        help="With t2i-ray: spread the work over N processes of this machine, or over a Ray cluster.",
    ),
]
DataOption = Annotated[str, typer.Option(help="Dataset: a name, name:split, or a folder of captioned pictures.")]
CountOption = Annotated[int, typer.Option("-n", "--n", help="Number of pictures drawn.")]
MetricsOption = Annotated[str, typer.Option(help="Evaluators' names, separated by commas.")]
SettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--setting",
        metavar="METRIC.NAME=VALUE",
        help="Setting of an evaluator, such as fid.protocol=clean; repeatable.",
    ),
]
SeedOption = Annotated[int, typer.Option(help="Seed that chooses the captions; picture i is drawn with seed + i.")]
PicturesSeedOption = Annotated[int, typer.Option("--seed", help="Seed of every picture.", min=0)]
DrawnAtOnceOption = Annotated[int, typer.Option("--batch-size", help="Pictures drawn at once; does not change them.")]
BatchOption = Annotated[int, typer.Option(help="Pictures drawn and evaluated at once.")]
PICTURES = (".png", ".jpg", ".jpeg", ".webp")  # the suffixes of t2i.drawing.formats, which imports PIL
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
ResolutionOption = Annotated[
    int | None, typer.Option(help="Side in pixels at which pictures are evaluated. Default: the model's.", min=8)
]
VerboseOption = Annotated[bool, typer.Option("--verbose", help="Print whole protocols, with hashes and versions.")]
DEFAULT_DATA = "openmoji:compose"
DEFAULT_METRICS = "kid,r_precision"


def check_new_file(path: Path, suffixes: Sequence[str], force: bool) -> None:
    """Check, before long work, that a command can write its result to `path`.

    Raises:
        OutputError: its suffix is not in `suffixes`, it exists and not `force`, or it cannot be written.
    """
    from t2i.files import check_writable  # imports safetensors

    if path.suffix.lower() not in suffixes:
        listed = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}" if len(suffixes) > 1 else suffixes[0]
        raise OutputError(f"The result is written as {listed}, but {path} is not. Try {path.with_suffix(suffixes[0])}.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder, so no file can be written there. Choose another name.")
    if path.exists() and not force:
        raise OutputError(f"{path} already exists. Choose another name, or replace it with --force.")
    check_writable(path)


def check_out_folder(path: Path) -> None:
    """
    Raises:
        OutputError: it is a file, or a command cannot write into it for another reason.
    """
    from t2i.files import check_writable

    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file, not a folder. Choose another folder.")
    check_writable(path / "file")


def picture_suffix(text: str) -> str:
    """The suffix of pictures in a format: "png", "PNG" and ".png" as ".png".

    Raises:
        InvalidInputError: pictures are not written in this format.
    """
    suffix = f".{text.lower().removeprefix('.')}"
    if suffix not in PICTURES:
        raise InvalidInputError(f"--format must be png, jpg or webp, got {suffix.removeprefix('.')!r}.")
    return suffix


def distinct(prompts: Sequence[str]) -> list[str]:
    """The distinct prompts, in order: a repeated prompt with the same seed would give the same picture."""
    once = list(dict.fromkeys(prompts))
    if len(once) < len(prompts):
        say(f"{len(prompts) - len(once)} repeated prompts are drawn once")
    return once


def parse_options(assignments: Sequence[str] | None, model: str = "") -> dict[str, Any]:
    """["truncation=0.8"] as {"truncation": 0.8}; imports no torch.

    Args:
        model: the options are checked against those of its technique; if its technique is unknown before its files are
            read, or it is "", they are checked when they are used.

    Raises:
        InvalidInputError: one has no equals sign, or its value is not YAML.
        InvalidConfigError: the technique has no such option, or its value does not fit.
    """
    from t2i.config import parse_config

    options = dict(map(_assignment, assignments or ()))
    if options and model and ModelName.parse(model).kind == "registered":
        spec = model_info(model).spec
        if spec is not None and spec.options:
            parse_config(load_target(spec.options), options, f"options of {spec.name}")
    return options


def parse_settings(assignments: Sequence[str] | None, metrics: Sequence[str]) -> dict[str, dict[str, Any]]:
    """["fid.protocol=clean"] as {"fid": {"protocol": "clean"}}.

    Raises:
        InvalidInputError: one is not of that form, or its metric is not in `metrics`.
    """
    settings: dict[str, dict[str, Any]] = {}
    for assignment in assignments or ():
        metric, _, rest = assignment.partition(".")
        name, equals, _ = rest.partition("=")
        if metric not in metrics or not name or not equals:
            raise InvalidInputError(
                f"A setting must be metric.name=value, with one of {', '.join(metrics)} as metric, got {assignment!r}."
            )
        name, value = _assignment(rest, f"--setting {metric}.{name}")
        settings.setdefault(metric, {})[name] = value
    return settings


def metric_names(metrics: str) -> list[str]:
    """ "fid,kid" as names; imports no torch.

    Raises:
        UnknownNameError, PluginError: no plugin declares one of them, or its plugin cannot be used.
        InvalidInputError: `metrics` has no name.
    """
    names = [name.strip() for name in metrics.split(",") if name.strip()]
    if not names:
        raise InvalidInputError(f"An evaluation needs a metric, got none. Try --metrics {DEFAULT_METRICS}")
    for name in names:
        registry().get(EvaluatorSpec, name)
    return list(dict.fromkeys(names))


def download_confirmed(yes: bool) -> Callable[[str], bool]:
    """A function that asks the user whether to start a large download; without a terminal, it needs `--yes`."""

    from t2i.drawing.opening import refused

    def confirm(question: str) -> bool:
        if yes:
            say(question.partition("\n")[0])
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return refused(question)
        return typer.confirm(question, err=True)

    return confirm


@uncollected()  # by now there may be a language model that is not needed any more
def open_artist(
    model: str, device: str | None, memory: str, lora: Sequence[str] | None, accept_new: bool, yes: bool
) -> Artist:
    """Load the model that a command's options choose; its pictures are recorded in the index.

    Raises:
        T2IError: as `t2i.drawing.pipeline.pipeline`.
        InvalidInputError: the memory mode is unknown, or a large download needs `--yes`.
    """
    from t2i.drawing.opening import check_memory
    from t2i.drawing.pipeline import pipeline

    return pipeline(
        model,
        device=device,
        record=True,
        memory=check_memory(memory),
        adapters=lora or (),
        accept_new=accept_new,
        confirm=download_confirmed(yes),
    )


def check_data(data: str) -> None:
    """Report an unknown dataset or folder before torch is imported.

    Raises:
        UnknownNameError, PluginError: there is no usable dataset of that name, and no such folder.
    """
    from t2i.create import dataset_spec

    dataset_spec(data)


def check_count(count: int, metrics: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Report too few pictures for the evaluators before torch is imported.

    Raises:
        InvalidInputError: one needs more pictures than `count`.
    """
    from t2i.evaluation.fewest import check_declared

    check_whole_number(count, "The number of pictures drawn", 1)
    check_declared(metrics, settings, count)


def check_device(device: str | None) -> None:
    """Report a device that this machine does not have before anything else is imported or loaded.

    Raises:
        InvalidInputError: it has no such device.
    """
    if device not in (None, "cpu"):
        from t2i.devices import check_device as check  # imports torch

        check(device)


def check_engine(engine: str | None, device: str | None) -> None:
    """Report an unknown engine, or without one a wrong device, before heavy imports; workers have their own devices.

    Raises:
        UnknownNameError, PluginError: there is no usable engine of that name.
        InvalidInputError: as `check_device`.
    """
    from t2i.create import engine_spec

    if engine is None:
        check_device(device)
    else:
        engine_spec(engine)


def check_model(model: str) -> None:
    """Report an unknown name before torch is imported.

    Raises:
        UnknownNameError, PluginError: there is no usable model of that name.
    """
    asked = ModelName.parse(model)
    if asked.kind == "registered":
        weights_spec(model)
    elif asked.kind == "folder":
        check_folder(asked.folder)


def _assignment(text: str, where: str = "") -> tuple[str, Any]:
    """ "name=value" as a pair, the value read as YAML."""
    from t2i.config import parse_value

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInputError(f"An option must be name=value, got {text!r}.")
    return name.replace("-", "_"), parse_value(value, where or f"--option {name}")
