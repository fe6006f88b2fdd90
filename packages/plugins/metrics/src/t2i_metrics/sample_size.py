"""A plot of how FID and KID depend on the number of pictures: two halves of one dataset, whose true distance is 0.

`nox -s sample-size` draws it for docs/evaluation.md.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from t2i.create import load_dataset
from t2i.files import write_atomic
from t2i_metrics.dataset_features import features_of
from t2i_metrics.extractor import get_extractor
from t2i_metrics.frechet import frechet_distance_of
from t2i_metrics.kid import kernel_distance
from t2i_metrics.protocols import DEFAULT_PROTOCOL


@dataclass(frozen=True)
class Row:
    """Distances between two sets of `count` pictures of one distribution, one value for each draw."""

    count: int
    fid: tuple[float, ...]
    kid: tuple[float, ...]


def distances(features: Float[Tensor, "n d"], counts: Sequence[int], draws: int, seed: int = 0) -> list[Row]:
    """FID and KID of two disjoint random subsets of `features`, drawn `draws` times for each size in `counts`.

    Args:
        counts: vectors in each subset, at most n / 2.
    """
    stream = np.random.default_rng(seed)
    rows = []
    for count in counts:
        fid, kid = [], []
        for _ in range(draws):
            order = torch.from_numpy(stream.permutation(len(features)))
            one, two = features[order[:count]], features[order[count : 2 * count]]
            fid.append(frechet_distance_of(one, two))
            kid.append(kernel_distance(one, two)[0])
        rows.append(Row(count, tuple(fid), tuple(kid)))
    return rows


def plot(rows: Sequence[Row], title: str) -> bytes:
    """A PNG that shows both distances against the number of pictures."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("fid", "kid"), strict=True):
        axes.axhline(0, color="0.6", linewidth=1)
        for row in rows:
            values = getattr(row, name)
            axes.plot([row.count] * len(values), values, ".", color="tab:blue", alpha=0.5)
        axes.plot([row.count for row in rows], [np.mean(getattr(row, name)) for row in rows], color="tab:blue")
        axes.set(xscale="log", xlabel="pictures of each kind", title=f"{name.upper()} of two halves (true value: 0)")
        axes.set_xticks([row.count for row in rows], labels=[str(row.count) for row in rows])
        axes.minorticks_off()
    figure.suptitle(title, fontsize="small")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90, pil_kwargs={"optimize": True})
    return file.getvalue()


def sample_size(
    data: str, out: Path, *, count: int = 600, side: int = 64, protocol: str = DEFAULT_PROTOCOL, draws: int = 3
) -> list[Row]:
    """Write the plot of a dataset.

    Args:
        data: its name, or a folder.
        out: the PNG.
        count: how many of its pictures to use, at `side` x `side` pixels.
        draws: random subsets for each number of pictures.

    Returns:
        The distances in the plot.

    Raises:
        T2IError: the data cannot be read, or `out` cannot be written.
    """
    dataset = load_dataset(data)
    chosen = np.random.default_rng(0).permutation(len(dataset))[:count].tolist()
    extractor = get_extractor(protocol)
    features = torch.cat([each for each, _ in features_of(dataset, side, extractor, chosen)])
    most = len(features) // 2
    counts = sorted({round(count) for count in np.geomspace(min(20, most), most, 6)})
    rows = distances(features, counts, draws)
    title = f"{dataset.name}, {side} px, {protocol}, {extractor.protocol.dim} features"
    write_atomic(out, plot(rows, title))
    return rows
