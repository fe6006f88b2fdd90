"""A plot of how FID and KID depend on the number of pictures: two halves of one dataset, whose true distance is 0.

python -m t2i_metrics.sample_size --data openmoji --pictures 600 -o sample_size.png
"""

from __future__ import annotations

import argparse
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
from t2i_metrics.protocols import DEFAULT_PROTOCOL, PROTOCOLS


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
    figure.savefig(file, format="png", dpi=90)
    return file.getvalue()


def main() -> None:
    """Read the arguments, compute the distances, print them and write the plot."""
    parser = argparse.ArgumentParser(prog="python -m t2i_metrics.sample_size", description=__doc__)
    parser.add_argument("--data", default="openmoji", help="a dataset's name or a folder")
    parser.add_argument("--pictures", type=int, default=600, help="how many of its pictures to use")
    parser.add_argument("--side", type=int, default=64, help="size of the pictures in pixels")
    parser.add_argument("--protocol", default=DEFAULT_PROTOCOL, choices=list(PROTOCOLS))
    parser.add_argument("--draws", type=int, default=3, help="random subsets for each number of pictures")
    parser.add_argument("-o", "--out", type=Path, default=Path("sample_size.png"))
    given = parser.parse_args()
    dataset = load_dataset(given.data)
    chosen = np.random.default_rng(0).permutation(len(dataset))[: given.pictures].tolist()
    extractor = get_extractor(given.protocol)
    features = torch.cat([each for each, _ in features_of(dataset, given.side, extractor, chosen)])
    most = len(features) // 2
    counts = sorted({round(count) for count in np.geomspace(min(20, most), most, 6)})
    rows = distances(features, counts, given.draws)
    for row in rows:
        print(f"{row.count:>6} pictures: fid {np.mean(row.fid):.2f}, kid {np.mean(row.kid):+.4f}")
    title = f"{dataset.name}, {given.side} px, {given.protocol}, {extractor.protocol.dim} features"
    write_atomic(given.out, plot(rows, title))


if __name__ == "__main__":
    main()
