"""Create models, text encoders, evaluators and datasets from their names."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from t2i.arguments import check_text
from t2i.config import parse_config
from t2i.errors import (
    DataError,
    InvalidConfigError,
    InvalidInputError,
    T2IError,
    UnknownNameError,
    did_you_mean,
)
from t2i.progress import Say, unsaid
from t2i.registry.describe import DEFAULT_LANGUAGE_MODEL, DEFAULT_TEXT_ENCODER
from t2i.registry.discovery import registry
from t2i.registry.names import ModelName
from t2i.registry.roles import role_of
from t2i.registry.specs import (
    CommandSpec,
    DatasetSpec,
    EngineSpec,
    EvaluatorSpec,
    LanguageModelSpec,
    ModelSpec,
    ReferenceSpec,
    TextEncoderSpec,
    load_target,
)

if TYPE_CHECKING:
    from t2i.data.dataset import CaptionedDataset
    from t2i.engine import Engine
    from t2i.evaluator import Evaluator
    from t2i.generator import Generator
    from t2i.language import LanguageModel
    from t2i.text import TextEncoder


def create_model(name: str, pretrained: bool = False, **config: Any) -> Generator:
    """Build a technique, with fresh weights unless `pretrained` or the name asks for pretrained ones.

    Args:
        name: a name as described in `t2i.registry.names`; a technique alone means fresh weights unless `pretrained`.
        config: fields of the technique's config; not allowed with pretrained weights, which have their own config.

    Raises:
        UnknownNameError, PluginError, SnapshotError: nothing usable has that name.
        InvalidConfigError: a field is unknown or its value does not fit.
    """
    asked = ModelName.parse(name)
    if not pretrained and asked.kind == "registered" and not asked.tag:
        spec, _ = registry().get(ModelSpec, name)
        return cast("Generator", load_target(spec.target)(parse_config(load_target(spec.config), config, name)))
    if config:
        raise InvalidInputError(
            f"Pretrained weights have their own config, got {', '.join(config)} as well. "
            f"Leave these settings out, or create the technique without weights."
        )
    from t2i.snapshots.load import load_generator  # imports torch
    from t2i.snapshots.resolve import resolve

    return load_generator(resolve(name))


def create_text_encoder(name: str = DEFAULT_TEXT_ENCODER) -> TextEncoder:
    """The text encoder "name", or "name:reference" such as "hf:org/repo@revision"."""
    return cast("TextEncoder", _create(TextEncoderSpec, name))


def create_language_model(name: str = DEFAULT_LANGUAGE_MODEL) -> LanguageModel:
    """The language model "name", or "name:reference" such as "hf:org/repo" or "openai:http://127.0.0.1:8080/v1#model".

    Raises:
        UnknownNameError, PluginError: nothing usable has that name.
        InvalidInputError: a reference is missing, or given where none is taken.
        OfflineError, SnapshotError: its weights cannot be loaded.
    """
    return cast("LanguageModel", _create(LanguageModelSpec, name))


def _create(kind: type[ReferenceSpec], name: str) -> Any:
    """What the target of `name`, or of the part before its colon, makes."""
    word = role_of(kind).word
    key, colon, reference = check_text(name, f"A {word}'s name").partition(":")
    spec, _ = registry().get(kind, key)
    if spec.takes_reference != bool(colon and reference):
        wanted = f"{key}:reference" if spec.takes_reference else key
        raise InvalidInputError(f"The {word} {key!r} must be given as {wanted!r}, got {name!r}.")
    factory = load_target(spec.target)
    return factory(reference) if reference else factory()


def create_evaluator(name: str, **settings: Any) -> Evaluator:
    """The evaluator called `name`, with the settings it documents, such as `protocol="clean"`.

    Raises:
        UnknownNameError, PluginError: nothing usable has that name.
        InvalidConfigError: it has no such setting.
    """
    target = load_target(registry().get(EvaluatorSpec, check_text(name, "An evaluator's name"))[0].target)
    known = inspect.signature(target).parameters
    for setting in settings.keys() - known.keys():
        raise InvalidConfigError(
            f"{name}: unknown setting {setting!r}.{did_you_mean(setting, known)} "
            f"Known settings: {', '.join(known) or 'none'}."
        )
    return cast("Evaluator", target(**settings))


def suited_settings(evaluator: str, data: str, location: str = "", warn: Say = unsaid) -> dict[str, Any]:
    """An evaluator's settings for a dataset, such as an encoder that was trained on it; {} if its defaults suit it.

    Args:
        data, location: the dataset's.
        warn: called with what an evaluator says of its choice.
    """
    spec, _ = registry().get(EvaluatorSpec, evaluator)
    return dict(load_target(spec.suited)(data, location, warn)) if spec.suited else {}


def held_out_settings(evaluator: str) -> dict[str, Any]:
    """An evaluator's settings for the held-out pictures of a run."""
    return dict(registry().get(EvaluatorSpec, evaluator)[0].held_out_settings)


def create_engine(name: str) -> Engine:
    """The engine "name" or "name:reference", such as "local:2" or "ray://host:10001", with its workers not yet started.

    Raises:
        UnknownNameError, PluginError: nothing usable has that name.
        EngineError: it cannot start.
        InvalidInputError: it cannot read the reference.
    """
    spec, reference = engine_spec(name)
    return cast("Engine", load_target(spec.target)(reference))


def engine_spec(name: str) -> tuple[EngineSpec, str]:
    """The engine that a name begins with, and its reference, "" if there is none. Imports nothing of the engine's.

    Raises:
        UnknownNameError, PluginError: nothing usable has that name.
    """
    key, _, reference = check_text(name, "An engine's name").partition(":")
    return registry().get(EngineSpec, key)[0], reference


def index(where: str | Path | None = None) -> Any:
    """Open the `t2i_index.index.Index` of everything drawn and written; needs t2i-index.

    Args:
        where: a file, or another index that T2I_INDEX may name; by default the one that the command line records in.

    Raises:
        UnknownNameError: t2i-index is not installed.
        DataError, OutputError: the index cannot be opened.
    """
    registry().get(CommandSpec, "index")
    return load_target("t2i_index.index:index")(where)


def load_dataset(
    name: str, split: str | None = None, *, caption_column: str = "", image_column: str = ""
) -> CaptionedDataset:
    """A registered dataset, your own files through a reader, or the files at a path.

    Args:
        name: "name" or "name:split" of a dataset, "reader:reference" or "reader:reference:split" (such as
            "coco:path:val2017"), or a path (write "./name" if both exist).
        split: one of the dataset's splits; the first one by default.
        caption_column, image_column: the columns of a table or of metadata to read; by default those with a usual name.

    Raises:
        UnknownNameError: there is no such dataset or path, or no such split.
        InvalidInputError: a reader was named without a reference to read, or a column for data without columns.
        DataError: the files cannot be read.
    """
    columns = {"caption": caption_column, "image": image_column} if caption_column or image_column else {}
    spec = dataset_spec(name)
    if spec is None:
        return _read_path(name, split, columns)
    _, _, rest = name.partition(":")
    if spec.takes_reference:
        return _read(spec, *_split_off(spec, rest, split), columns)
    split = split or rest or None
    _check_split(spec, split)
    _check_columns(spec, columns)
    return cast("CaptionedDataset", load_target(spec.target)(split or spec.splits[0]))


def dataset_spec(name: str) -> DatasetSpec | None:
    """The dataset or reader that a name begins with; None if the name is a path. Reads no file and imports no torch.

    Raises:
        UnknownNameError, PluginError: there is neither.
    """
    kind, colon, _ = check_text(name, "A dataset's name").partition(":")
    is_path = os.path.exists(name)  # noqa: PTH110 (Path.exists raises on a name too long for the disk)
    try:
        spec, _ = registry().get(DatasetSpec, kind)
    except T2IError as error:
        if is_path:
            return None
        if "/" in name:
            raise UnknownNameError(
                f"There is no file or folder {name}. Give a dataset's name, or files that exist."
            ) from None
        if isinstance(error, UnknownNameError):
            raise UnknownNameError(
                f"{error} Nor is there a file or folder of this name: to use your own pictures, give their folder."
            ) from None
        raise
    return None if spec.takes_reference and not colon and is_path else spec


def _split_off(spec: DatasetSpec, rest: str, split: str | None) -> tuple[str, str | None]:
    """Reference and split of "reader:rest"; the part after the last colon is a split unless it contains a slash."""
    reference, colon, named_split = rest.rpartition(":")
    if not colon or "/" in named_split:
        reference, named_split = rest, ""
    if not reference:
        raise InvalidInputError(f"The reader {spec.name!r} needs something to read: '{spec.name}:what-to-read'.")
    return reference, split or named_split or None


def _read(spec: DatasetSpec, reference: str, split: str | None, columns: Mapping[str, str]) -> CaptionedDataset:
    _check_split(spec, split)
    _check_columns(spec, columns)
    read = load_target(spec.target)
    try:
        if columns:
            from t2i.data.readers.captions import Columns

            return cast("CaptionedDataset", read(reference, split, Columns(**columns)))
        return cast("CaptionedDataset", read(reference, split))
    except OSError as error:  # readers report what they expect themselves; this is a disk or permission problem
        raise DataError(f"{reference} cannot be read ({error}).") from None


def _read_path(name: str, split: str | None, columns: Mapping[str, str]) -> CaptionedDataset:
    """The dataset at a path, opened by the reader that fits the files there."""
    from t2i.data.readers.path import reader_of

    try:
        spec, _ = registry().get(DatasetSpec, reader_of(Path(name)))
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error}).") from None
    return _read(spec, name, split, columns)


def _check_columns(spec: DatasetSpec, columns: Mapping[str, str]) -> None:
    """Columns can be chosen for readers that take them as their third argument."""
    if columns and "columns" not in inspect.signature(load_target(spec.target)).parameters:
        raise InvalidInputError(
            f"The data of {spec.name!r} has no columns to choose. Leave out --caption-column and --image-column."
        )


def _check_split(spec: DatasetSpec, split: str | None) -> None:
    if split is not None and spec.splits and split not in spec.splits:
        raise UnknownNameError(f"{spec.name!r} has the splits {', '.join(spec.splits)}, got {split!r}.")
