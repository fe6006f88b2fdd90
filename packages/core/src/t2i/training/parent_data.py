"""Where a parent's data is: what its run.yaml says, or for a model without a run, a dataset with a name of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from t2i.create import load_dataset
from t2i.data.dataset import CaptionedDataset
from t2i.errors import DataError, UnknownNameError
from t2i.registry.discovery import registry
from t2i.registry.specs import DatasetSpec
from t2i.training.config import DataConfig


def places_of(data: DataConfig, run: Path) -> Iterator[DataConfig]:
    """The data settings of a run, for each place where its data may be.

    run.yaml does not say in which folder the run was started, which a relative path depends on; usually it is one of
    those above the run. The last place is the current folder.
    """
    for folder in run.resolve().parents:
        if source := _seen_from(folder, data.source):
            yield data.model_copy(update={"source": source})
    yield data


def _seen_from(folder: Path, source: str) -> str:
    """A relative path, or the path in "reader:path:split", from `folder` on; "" if nothing is there."""
    kind, colon, rest = source.partition(":")
    spec = _spec(kind)
    if spec is None or (spec.takes_reference and not colon):
        return str(folder / source) if (folder / source).exists() else ""
    path = rest if (folder / rest).exists() else rest.rpartition(":")[0]
    return f"{kind}:{folder / rest}" if spec.takes_reference and path and (folder / path).exists() else ""


def named_dataset(name: str) -> CaptionedDataset:
    """The dataset that a model records, unless the name is that of files that could be others here.

    Raises:
        UnknownNameError: there is none of that name.
        DataError: it was read from files, or cannot be read.
    """
    kind, _, rest = name.partition(":")
    spec = _spec(kind)
    on_the_hub = kind == "hf" and "/" in rest and not Path(rest.partition(":")[0]).exists()
    if spec is None or (spec.takes_reference and not on_the_hub):
        raise DataError(f"The parent was trained on {name or 'unknown data'}, and does not record where that is.")
    return load_dataset(name)


def _spec(kind: str) -> DatasetSpec | None:
    try:
        return registry().get(DatasetSpec, kind)[0]
    except UnknownNameError:
        return None
