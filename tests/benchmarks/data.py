"""Packed loading against ImageFolder and `datasets` with two workers each; time to pack; memory as a pack grows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from measure import functions, line, ratio
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

from t2i.create import create_text_encoder, load_dataset
from t2i.data.dataset import CaptionedDataset, Example
from t2i.data.pack.dataset import PackedDataset
from t2i.data.pack.pack import open_pack, write_pack
from t2i.data.prepare import prepare
from t2i.text import EncoderIdentity, TextEmbedding, TextEncoder, Unread
from t2i.training.batches import BatchMaker
from t2i.training.sampling import Sampler

FASHION = Path(__file__).parents[3] / "shared" / "data" / "fashion"
RESOLUTION, BATCH, WORKERS = 64, 64, 2
OUR_EPOCHS = 10  # one of our epochs is too short to time
SIZES = (10_000, 50_000, 200_000)


def run() -> None:
    if FASHION.is_dir():
        loading()
    else:
        line("packed loading: the real pictures are not on this machine", "skipped")
    memory()


def loading() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["T2I_CACHE"] = scratch
        os.environ["HF_DATASETS_CACHE"] = f"{scratch}/hf"
        dataset = load_dataset(str(FASHION))
        start = time.perf_counter()
        packed = write_pack(dataset, Path(scratch) / "pack", RESOLUTION)
        pictures = time.perf_counter()
        data = prepare(PackedDataset(packed), RESOLUTION, create_text_encoder())
        captions = time.perf_counter()
        line(f"time to pack {len(dataset)} photos of 224 px at {RESOLUTION} px", f"{pictures - start:.1f} s")
        line("  and to encode their captions with minilm", f"{captions - pictures:.1f} s")
        start = time.perf_counter()
        open_pack(packed.folder)
        line("  time to open and verify the pack", f"{time.perf_counter() - start:.2f} s")

        steps = -(-len(dataset) // BATCH)
        maker = BatchMaker(data, RESOLUTION, False, torch.device("cpu"))
        sampler = Sampler(data, BATCH, 0)

        def alike() -> None:
            """The batch that the other loaders provide: pictures and their captions."""
            for step in range(OUR_EPOCHS * steps):
                draw = sampler.draw(step)
                images = maker.images(draw.pictures, draw.places)
                texts = [data.caption_texts[caption] for caption in draw.captions]
                assert images.shape[1:] == (3, RESOLUTION, RESOLUTION) and len(texts) == BATCH

        def whole() -> None:
            """The whole batch that a loss gets."""
            for step in range(OUR_EPOCHS * steps):
                draw = sampler.draw(step)
                [batch] = maker.make(draw, 1, 0.0)
                texts = [data.caption_texts[caption] for caption in draw.captions]
                assert batch.images.shape[1:] == (3, RESOLUTION, RESOLUTION) and len(texts) == BATCH

        folder = loader(CaptionedFolder(FASHION))
        tables = loader(hugging_face(FASHION))
        mine, more, torchs, theirs = functions(alike, whole, lambda: epoch(folder), lambda: epoch(tables), runs=3)
    count = len(dataset)
    line(f"packed, batches of {BATCH}: pictures and captions", f"{count * OUR_EPOCHS / mine.median:.0f} images/s")
    line("  and words, sentences, mismatches, noise", f"{count * OUR_EPOCHS / more.median:.0f} images/s")
    for name, other in (("torchvision ImageFolder", torchs), ("datasets imagefolder", theirs)):
        line(f"{name} + DataLoader({WORKERS} workers)", f"{count / other.median:.0f} images/s")
        line("  packed loading against it", f"{ratio(other, mine) * OUR_EPOCHS:.0f} x", "goal: at least 20 x")


TO_BATCH = transforms.Compose(
    [
        transforms.Resize(RESOLUTION, transforms.InterpolationMode.LANCZOS),
        transforms.CenterCrop(RESOLUTION),
        transforms.ToTensor(),
        transforms.Normalize([0.5] * 3, [0.5] * 3),
    ]
)


class CaptionedFolder(ImageFolder):
    """ImageFolder, with a caption instead of the class."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root), transform=TO_BATCH)
        lines = (root / "metadata.jsonl").read_text().splitlines()
        self.captions = {Path(entry["file_name"]).name: entry["text"] for entry in map(json.loads, lines)}

    def __getitem__(self, index: int) -> tuple[torch.Tensor, str]:
        return super().__getitem__(index)[0], self.captions[Path(self.samples[index][0]).name]


def hugging_face(root: Path) -> object:
    import datasets

    datasets.disable_progress_bars()
    table = datasets.load_dataset("imagefolder", data_dir=str(root), split="train").select_columns(["image", "text"])
    return table.with_transform(
        lambda rows: {"image": [TO_BATCH(image.convert("RGB")) for image in rows["image"]], "text": rows["text"]}
    )


def loader(dataset: object) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(
        dataset,  # type: ignore[arg-type]
        batch_size=BATCH,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )


def epoch(batches: torch.utils.data.DataLoader) -> None:
    for batch in batches:
        images, texts = batch.values() if isinstance(batch, dict) else batch
        assert images.shape[1:] == (3, RESOLUTION, RESOLUTION) and len(texts) == len(images)


# --- memory --------------------------------------------------------------------------------------------------------


def memory() -> None:
    peaks: dict[str, list[float]] = {"pack": [], "load": []}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            for what, found in peaks.items():
                command = [sys.executable, __file__, what, str(size), scratch]
                environment = {**os.environ, "T2I_CACHE": f"{scratch}/cache", "OMP_NUM_THREADS": "1"}
                result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
                found.append(float(result.stdout))
        line(
            f"{size:,} pictures of 32 px: peak of packing, of 300 batches",
            f"{peaks['pack'][-1]:.0f}, {peaks['load'][-1]:.0f} MiB",
        )
    for what, found in peaks.items():
        name = {"pack": "packing", "load": "training on it"}[what]
        line(f"  {name}: {SIZES[-1]:,} against {SIZES[0]:,}", f"{found[-1] / found[0]:.2f} x", "goal: flat")


class Noise32(CaptionedDataset):
    """Pictures and captions made on request."""

    def __init__(self, count: int) -> None:
        self.count = count

    @property
    def name(self) -> str:
        return f"noise:{self.count}"

    @property
    def license(self) -> str:
        return "CC0-1.0"

    @property
    def fingerprint(self) -> str:
        return self.name

    @property
    def examples(self) -> Sequence[Example]:
        return Examples(self.count)

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        pixels = np.random.default_rng(index).integers(0, 256, (resolution, resolution, 3), dtype=np.uint8)
        return Image.fromarray(pixels), ""


class Examples(Sequence[Example]):
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Example]:
        return map(self.__getitem__, range(self.count))

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return Example(f"{index}.png", (f"noise number {index}",), f"{index}.png")


class TinyEncoder(TextEncoder):
    """Encodes each caption as eight words of 64 numbers."""

    identity = EncoderIdentity("tiny", "", "0" * 64, 64)  # type: ignore[assignment]
    max_words = 8

    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        count = len(captions)
        return TextEmbedding(torch.ones(count, 64), torch.ones(count, 8, 64), torch.ones(count, 8, dtype=torch.bool))

    def tokens(self, caption: str) -> tuple[str, ...]:
        return ("",) * 8

    def unread(self, prompts: Sequence[str]) -> list[Unread]:
        return [Unread() for _ in prompts]

    def to(self, device: torch.device | str) -> TinyEncoder:
        return self


def child(what: str, size: int, scratch: Path) -> None:
    """Do one thing and print this process's peak memory in MiB, without mapped pages."""
    peak = [own_memory()]
    if what == "pack":
        write_pack(Noise32(size), scratch / "pack", 32, progress=sampled(peak))
        prepare(load_dataset(str(scratch / "pack")), 32, TinyEncoder(), progress=sampled(peak))
    else:
        data = prepare(load_dataset(str(scratch / "pack")), 32, TinyEncoder())
        sampler, maker = Sampler(data, BATCH, 0), BatchMaker(data, 32, True, torch.device("cpu"))
        for step in range(300):
            list(maker.make(sampler.draw(step), 1, 0.0))
            peak.append(own_memory())
    print(max([*peak, own_memory()]))


def sampled(peak: list[float]):  # type: ignore[no-untyped-def]
    from contextlib import contextmanager

    @contextmanager
    def progress(title: str, total: int):  # type: ignore[no-untyped-def]
        yield lambda steps: peak.append(own_memory())
        peak.append(own_memory())

    return progress


def own_memory() -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1024


if __name__ == "__main__":
    child(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
