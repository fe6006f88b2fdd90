"""What a plugin declares: frozen facts and lazy targets, one dataclass for each role. Imports no torch, no pydantic."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from t2i.display import with_error
from t2i.errors import PluginBrokenError
from t2i.registry.output import stdout_kept_clean


@dataclass(frozen=True)
class Spec:
    """The base of all specs: frozen dataclasses with a `name` under which users find what they declare."""

    if TYPE_CHECKING:

        @property
        def name(self) -> str: ...


SpecT = TypeVar("SpecT", bound=Spec)


@dataclass(frozen=True)
class ModelSpec(Spec):
    """A technique.

    Attributes:
        name: lower-case, without a dot, such as "cgan".
        target: the final Generator class, "package.module:Name".
        objective: a callable `(generator, **settings) -> Objective`; "" if it cannot be trained.
        objective_config: the pydantic Config of those settings; "" if it cannot be trained.
        config: the Generator's pydantic Config.
        options: its options_type, in a module that imports no torch, so that a wrong option is reported at once; "" if
            it has no options.
        kind: family, one of FAMILIES.
        summary: one line.
        paper: authors, title, venue, year.
        recipes: name -> "package:relative/path.yaml" of a training recipe shipped with the plugin; `t2i check`
            builds the one called "tiny".
        expected_failures: checks of `t2i check` that it is known to fail, each with the reason.
        converter: for `t2i convert`, a callable (name -> tensor of a foreign checkpoint) ->
            t2i.snapshots.foreign.Converted; "" if there is none.
    """

    name: str
    target: str
    config: str
    kind: str
    summary: str
    paper: str
    options: str = ""
    objective: str = ""
    objective_config: str = ""
    recipes: Mapping[str, str] = field(default_factory=dict, hash=False)
    converter: str = ""
    expected_failures: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class PublishedScore:
    """A measured score of published weights, in short; the model card has its whole protocol.

    Attributes:
        value, standard_error: as in `t2i.evaluator.Score`.
        data: the dataset, and the split, that it was measured on.
    """

    value: float
    standard_error: float | None
    data: str

    def __str__(self) -> str:
        """ "0.412 ± 0.013 on openmoji:compose"."""
        return f"{with_error(self.value, self.standard_error)} on {self.data}"


@dataclass(frozen=True)
class WeightsSpec(Spec):
    """Pretrained weights of a technique, addressed as "model.tag".

    Attributes:
        sha256: of model.safetensors; verified before a tensor is used.
        size_bytes: of model.safetensors.
        dataset, resolution, license, text_encoder: what it was trained on, the side of its pictures in pixels,
            the SPDX licence of the weights, and the text encoder it needs.
        bundled: "package:relative/folder" of a snapshot inside an installed distribution, or "".
        repo, revision: where it is on the Hub (a full commit hash pins it), or "".
        scores: measured scores, by the metrics' names.
    """

    model: str
    tag: str
    sha256: str
    size_bytes: int
    dataset: str
    resolution: int
    license: str
    text_encoder: str
    bundled: str = ""
    repo: str = ""
    revision: str = ""
    scores: Mapping[str, PublishedScore] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        return f"{self.model}.{self.tag}"


@dataclass(frozen=True)
class ReferenceSpec(Spec):
    """Its `target` is a callable that makes the object: without arguments or, with `takes_reference`, from the part
    of "name:reference" after the colon."""

    name: str
    target: str
    summary: str
    license: str
    takes_reference: bool = False
    expected_failures: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class TextEncoderSpec(ReferenceSpec):
    """A text encoder: `target` makes a TextEncoder."""


@dataclass(frozen=True)
class LanguageModelSpec(ReferenceSpec):
    """A language model: `target` makes a LanguageModel."""


@dataclass(frozen=True)
class EvaluatorSpec(Spec):
    """An evaluator.

    Attributes:
        target: a callable `(**settings) -> Evaluator`, each setting with a default.
        check_settings: those that `t2i check` uses, such as {"subset_size": 8}: it evaluates two dozen small pictures.
        held_out_settings: those that a run uses on its held-out pictures, which may be few.
        least_pictures: that of the Evaluator with its default settings, so that too few are reported at once.
        suited: a callable (dataset's name, location, warn) -> settings that suit this dataset better than the defaults,
            such as an encoder trained on it; a person's own settings replace them. "" if there are none.
    """

    name: str
    target: str
    summary: str
    check_settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    held_out_settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    least_pictures: int = 1
    suited: str = ""
    expected_failures: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class DatasetSpec(Spec):
    """A dataset, or a reader of a user's own files.

    Attributes:
        target: a callable (split) -> CaptionedDataset; with `takes_reference`, (reference, split or None) ->
            CaptionedDataset, reached as "name:reference" or "name:reference:split".
        splits: its splits, the first of which is the default; () for a reader whose splits depend on the files.
        license: SPDX id of the pictures' licence, or "unknown".
    """

    name: str
    target: str
    splits: tuple[str, ...]
    license: str
    summary: str
    takes_reference: bool = False
    expected_failures: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class ArtistSpec(Spec):
    """Draws with models in another layout than a snapshot.

    Attributes:
        target: a callable (name, opening) -> Artist, used for a model whose folder or repository holds the file
            `marker`; `name` is a `t2i.registry.names.ModelName`, `opening` a `t2i.drawing.opening.Opening`.
        marker: the name of the file, such as "model_index.json".
        tiny: a callable (folder) that writes the smallest model of that layout into a new folder; `t2i check`
            draws with it.
        fine_tuning: a callable (name, opening) -> the settings of a run that fine-tunes such a model, as a mapping of
            fields of `t2i.training.settings.RunConfig`; "" if such models cannot be fine-tuned.
        describe: a callable (name, listing) -> facts for `t2i info`, as a mapping that can become JSON; `listing` is
            the Hub's `huggingface_hub.ModelInfo` of the model. It downloads no weights. "" if there is nothing to add.
    """

    name: str
    target: str
    marker: str
    tiny: str
    summary: str
    fine_tuning: str = ""
    describe: str = ""
    expected_failures: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class HubModelSpec(Spec):
    """A well-known model on the Hub that an artist draws with, under a short name.

    Attributes:
        name: the short name, such as "sd-turbo".
        artist: the name of the ArtistSpec that draws with it.
        repo, revision: where it is on the Hub; without a revision, its main branch.
        license: SPDX id of the weights' licence, or the Hub's name of it.
        gated: whether the Hub asks users to accept terms before they can download it.
        resolution: the side of its pictures in pixels.
        size_bytes: about the size of the download.
        memory_bytes: about the least memory of a device that can draw one picture.
        steps, guidance: the defaults with which its authors draw.
    """

    name: str
    artist: str
    repo: str
    summary: str
    license: str
    resolution: int
    size_bytes: int
    memory_bytes: int
    steps: int
    guidance: float
    gated: bool = False
    revision: str = ""


@dataclass(frozen=True)
class CommandSpec(Spec):
    """A verb of the command line, run as `t2i NAME`.

    Attributes:
        target: a function that typer can run: each parameter is annotated, its docstring is the help text, and an int
            that it returns is the exit code; or a typer.Typer, for a verb with subcommands.
        summary: one line for `t2i --help`, which does not import the target.
    """

    name: str
    target: str
    summary: str


@dataclass(frozen=True)
class EngineSpec(Spec):
    """An engine, which spreads work over workers.

    Attributes:
        target: a callable (reference) -> `t2i.engine.Engine`, reached as "name" (an empty reference) or
            "name:reference".
        check_reference: the reference with which `t2i check` opens it, which must work on any machine; "" if there is
            none, and then only its target is imported.
    """

    name: str
    target: str
    summary: str
    check_reference: str = ""
    expected_failures: Mapping[str, str] = field(default_factory=dict, hash=False)


FAMILIES = ("gan", "vae", "transformer", "hybrid", "diffusion", "other")
NAME = re.compile("[a-z0-9][a-z0-9_-]*")
KINDS: Mapping[str, type] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": float,
    "tuple[str, ...]": tuple,
    "Mapping[str, str]": Mapping,
    "Mapping[str, PublishedScore]": Mapping,
    "Mapping[str, Any]": Mapping,
}


def check_spec(spec: Spec) -> None:
    """
    Raises:
        TypeError: a field has the wrong type.
        ValueError: a name is not valid.
    """
    for field_ in fields(spec):
        value, kind = getattr(spec, field_.name), KINDS[str(field_.type)]
        if not isinstance(value, kind):
            raise TypeError(f"{field_.name} of a {type(spec).__name__} must be a {field_.type}, not {value!r}")
    if isinstance(spec, WeightsSpec) and not all(isinstance(score, PublishedScore) for score in spec.scores.values()):
        raise TypeError(f"scores of a WeightsSpec must be PublishedScores, not {dict(spec.scores)!r}")
    if isinstance(spec, ModelSpec) and spec.kind not in FAMILIES:
        raise ValueError(f"the kind of a model must be one of {', '.join(FAMILIES)}, not {spec.kind!r}")
    name = spec.model if isinstance(spec, WeightsSpec) else spec.name
    if not NAME.fullmatch(name):
        raise ValueError(f"a name must consist of lower-case letters, digits, - and _, got {name!r}")
    if isinstance(spec, WeightsSpec) and not spec.tag:
        raise ValueError(f"the name of weights must be technique.tag, got {spec.name!r}")


def load_target(target: str) -> Any:
    """Import what "package.module:Name" names.

    Raises:
        PluginBrokenError: it cannot be imported, or does not exist.
    """
    module, _, name = target.partition(":")
    try:
        with nullcontext() if module in sys.modules else stdout_kept_clean():
            return getattr(importlib.import_module(module), name)
    except BaseException as error:  # untrusted modules may raise anything, including SystemExit
        if isinstance(error, KeyboardInterrupt):
            raise
        raise PluginBrokenError(
            f"Everything a plugin declares must be importable, but {target} raised {type(error).__name__}: {error}. "
            f"Install what it needs, or update its distribution (see `t2i plugins`)."
        ) from error


TARGETS = (
    *("target", "config", "options", "objective", "objective_config", "converter"),
    *("tiny", "fine_tuning", "describe", "suited"),
)
"""Fields of any spec that name targets."""


def targets(spec: Spec) -> list[str]:
    """Everything a spec names as "package.module:Name"."""
    return [target for name in TARGETS if (target := getattr(spec, name, ""))]


def bundled_folder(weights: WeightsSpec) -> Path:
    """The folder of a bundled snapshot, whether or not it exists.

    Raises:
        PluginBrokenError: the package that should hold it cannot be imported.
    """
    return packaged(weights.bundled)


def packaged(reference: str) -> Path:
    """The path of "package:relative/path", whether or not it exists.

    Raises:
        PluginBrokenError: the package that should hold it cannot be imported.
    """
    from importlib.resources import files

    package, _, path = reference.partition(":")
    try:
        return Path(str(files(package))) / path
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise PluginBrokenError(
            f"{path} is shipped in {package}, which cannot be imported ({type(error).__name__}: {error}). "
            f"Install it again."
        ) from error
