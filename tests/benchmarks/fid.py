"""FID over whole folders against torch-fidelity and pytorch-fid, the matrix root against scipy's, cost against n."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import torch
from measure import commands, functions, line, ratio
from PIL import Image
from torch import Tensor

IMAGES = int(os.environ.get("T2I_BENCH_IMAGES", "2000"))  # of both kinds together
SIDE = 64
DIM = 2048
BATCH = 64


def run() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folders(Path(scratch))
    root()
    cost()


def folders(scratch: Path) -> None:
    """Whole commands, from pictures on disk to FID, with the same random Inception."""
    for kind, seed in (("real", 0), ("fake", 1)):
        (scratch / kind).mkdir()
        pixels = np.random.default_rng(seed).integers(0, 256, (IMAGES // 2, SIDE // 4, SIDE // 4, 3), dtype=np.uint8)
        for number, coarse in enumerate(pixels):
            picture = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            picture.save(scratch / kind / f"{number:05}.png")
    weights = scratch / "inception.pth"
    random_inception(weights)
    lines = [[sys.executable, __file__, tool, str(scratch), str(weights)] for tool in TOOLS]
    measured = dict(zip(TOOLS, commands(*lines, runs=1), strict=True))
    ours, others = measured["t2i"], {name: each for name, each in measured.items() if name != "t2i"}
    for name, each in measured.items():
        line(f"{name}: FID over {IMAGES} pictures of {SIDE} px", f"{IMAGES / each.median:.1f}/s")
    faster = min(others.values(), key=lambda each: each.median)
    line("  ratio to the faster of the others", f"{ratio(faster, ours):.2f} x", "goal: at least 1.3 x")
    peaks = ", ".join(f"{each.peak_mib:.0f}" for each in measured.values())
    line("  peak memory: " + ", ".join(measured), f"{peaks} MiB", "goal: no higher")


def root() -> None:
    """tr (C1 C2)^1/2 of full-rank and of singular covariances."""
    from scipy import linalg

    from t2i_metrics.frechet import trace_of_root

    for rows in (2 * DIM, DIM // 2):
        generator = torch.Generator().manual_seed(rows)
        one, two = (torch.randn(DIM, rows, generator=generator, dtype=torch.float64).cov() for _ in range(2))
        found: dict[str, float] = {}

        def ours(one: Tensor = one, two: Tensor = two, found: dict[str, float] = found) -> None:
            found["ours"] = trace_of_root(one, two)

        def scipys(one: Tensor = one, two: Tensor = two, found: dict[str, float] = found) -> None:
            found["scipy"] = float(np.trace(linalg.sqrtm((one @ two).numpy())).real)

        mine, theirs = functions(ours, scipys, runs=1)
        what = f"root of {DIM} x {DIM} from {rows} pictures"
        line(f"{what}: t2i, scipy's sqrtm", f"{mine.median:.1f}, {theirs.median:.1f} s")
        line("  ratio", f"{ratio(theirs, mine):.1f} x", "goal: at least 5 x")
        line("  relative difference", f"{abs(found['ours'] / found['scipy'] - 1):.0e}", "goal: at most 1e-6")


def cost() -> None:
    """Mean and covariance of increasing numbers of features."""
    from t2i_metrics.moments import Moments

    batch = torch.randn(BATCH, DIM)
    moments = Moments(DIM)
    moments.add(batch)
    before = psutil.Process().memory_info().rss
    for count in (1000, 5000, 50_000):
        start = time.perf_counter()
        for _ in range(count // BATCH):
            moments.add(batch)
        milliseconds = (time.perf_counter() - start) * 1000
        grown = max(0, psutil.Process().memory_info().rss - before) / 2**20
        line(
            f"{count} features of {DIM}: a thousand, memory grown",
            f"{1e3 * milliseconds / count:.0f} ms, {grown:.0f} MiB",
            "goal: linear, flat",
        )


def random_inception(path: Path) -> None:
    """A file as torch-fidelity and pytorch-fid publish it, with random weights that keep the size of the signal."""
    from torchvision.models.inception import Inception3

    torch.manual_seed(0)
    network = Inception3(num_classes=1008, aux_logits=False, init_weights=False)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    torch.save(network.state_dict(), path)


def t2i(folder: Path, weights: Path) -> float:
    from t2i.images import from_uint8
    from t2i_metrics.fid import FID

    evaluator = FID(protocol="tf", extractor_weights=weights, min_images=2)
    with ThreadPoolExecutor() as pool:
        for kind in ("real", "fake"):
            files = sorted((folder / kind).iterdir())
            for start in range(0, len(files), BATCH):
                pixels = np.stack(list(pool.map(lambda file: np.array(Image.open(file)), files[start : start + BATCH])))
                evaluator.update(from_uint8(torch.from_numpy(pixels).permute(0, 3, 1, 2)), real=kind == "real")
    return evaluator.compute()["fid"].value


def torch_fidelity(folder: Path, weights: Path) -> float:
    from torch_fidelity import calculate_metrics

    metrics = calculate_metrics(
        input1=str(folder / "fake"), input2=str(folder / "real"), fid=True, cuda=False, cache=False, verbose=False,
        feature_extractor_weights_path=str(weights),
    )  # fmt: skip
    return float(metrics["frechet_inception_distance"])


def pytorch_fid(folder: Path, weights: Path) -> float:
    from pytorch_fid import fid_score, inception

    inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights, weights_only=True)
    return float(fid_score.calculate_fid_given_paths([str(folder / "fake"), str(folder / "real")], 50, "cpu", DIM))


TOOLS: dict[str, Callable[[Path, Path], float]] = {
    "t2i": t2i,
    "torch-fidelity": torch_fidelity,
    "pytorch-fid": pytorch_fid,
}

if __name__ == "__main__":
    print(TOOLS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3])))
