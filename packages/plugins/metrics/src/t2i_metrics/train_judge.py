"""`t2i judge train` makes an image-text encoder that knows one's own data: the bundled one's heads, trained on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from t2i.data.dataset import CaptionedDataset
from t2i.errors import InvalidInputError
from t2i.files import atomic_folder
from t2i.progress import Progress, silent
from t2i_metrics.caption_ranking import count_others
from t2i_metrics.own_judges import RECORD, WEIGHTS, Judge, base, folder_of
from t2i_metrics.train_heads import VIEWS, Texts, fit, held_out_groups, measure, view, write_heads

FEWEST = 20  # groups: below, captions are too few to compare


def train_judge(dataset: CaptionedDataset, progress: Progress = silent) -> Judge:
    """Train the judge of a dataset, twice: first without a tenth of its groups, on which it is measured; then on all.

    It replaces the judge that the dataset had, not that of another folder of the same name.

    Raises:
        InvalidInputError: the dataset has too few groups.
        T2IError: a picture cannot be read, or the folder cannot be written.
    """
    groups = {example.group for example in dataset.examples}
    if len(groups) < FEWEST:
        raise InvalidInputError(
            f"An image-text encoder learns to tell at least {FEWEST} groups of pictures apart, but {dataset.name} has "
            f"{len(groups)}. Use clip:org/name instead."
        )
    features = torch.stack([view(dataset, number, progress) for number in range(1 + VIEWS)], dim=1)
    texts, held = Texts.of(dataset.examples), held_out_groups(dataset.examples)
    unseen = [index for index, example in enumerate(dataset.examples) if example.group in held]
    seen = torch.tensor([index for index, example in enumerate(dataset.examples) if example.group not in held])
    first, last = (fit(features, texts, kept, progress) for kept in (seen, torch.arange(len(dataset))))
    judge = Judge(data=base(dataset.name), location=dataset.location, pictures=len(dataset), groups=len(groups))
    folder = folder_of(judge)
    shutil.rmtree(folder, ignore_errors=True)
    with atomic_folder(folder) as scratch:
        path = scratch / WEIGHTS
        write_heads(first, path)
        right, among = _measured(path, dataset, unseen)
        write_heads(last, path)
        judge = judge.model_copy(update={"right": right, "among": among})
        (scratch / RECORD).write_text(judge.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return judge


def _measured(heads: Path, dataset: CaptionedDataset, unseen: list[int]) -> tuple[float | None, int]:
    """How often a picture of an unseen group ranks its own caption first, and among how many captions of the others."""
    shown = [dataset.examples[index] for index in unseen]
    distractors = min(99, count_others({(example.captions[0], example.group) for example in shown}))
    if distractors < 1:
        return None, 100
    return measure(heads, dataset, unseen, distractors=distractors, folds=2).value, 1 + distractors
