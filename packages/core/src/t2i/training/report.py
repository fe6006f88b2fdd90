"""What a run shows of itself: a progress bar, metrics.jsonl, a tracker, sample grids and losses.png."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from t2i.data.prepared import PreparedData
from t2i.files import unwritable, write_atomic
from t2i.generator import Generator, Noise
from t2i.images import grid, to_pil
from t2i.provenance import png_bytes
from t2i.text import TextEmbedding


@dataclass(frozen=True)
class Samples:
    """The prompts a run draws again and again, to be looked at; picture i has seed i."""

    prompts: tuple[str, ...]
    text: TextEmbedding


def default_samples(data: PreparedData, count: int = 16) -> Samples:
    """`count` captions spread over the dataset, the first of a picture each."""
    pictures = torch.linspace(0, len(data.captions_of) - 1, min(count, len(data.captions_of))).long().tolist()
    captions = [data.captions_of[picture][0] for picture in pictures]
    return Samples(tuple(data.caption_texts[index] for index in captions), data.captions[torch.tensor(captions)])


class RunReport:
    """Collects loss terms on the device and writes them where people look.

    A report of a resumed run drops what an interrupted one wrote beyond the checkpoint.
    """

    def __init__(self, run: Path, accelerator: Accelerator, generator: Generator, samples: Samples, step: int) -> None:
        """
        Args:
            generator: what samples are drawn with (the moving average).
            step: how many steps are done already.
        """
        self._run, self._accelerator, self._generator, self._samples = run, accelerator, generator, samples
        self._sums: dict[str, tuple[Tensor, int]] = {}
        self._metrics = run / "metrics.jsonl"
        self._rows = [row for row in _read_rows(self._metrics) if row["step"] <= step]
        write_atomic(self._metrics, "".join(f"{json.dumps(row)}\n" for row in self._rows).encode())

    @contextmanager
    def progress(self, done: int, total: int, batch_size: int) -> Iterator[Callable[[Mapping[str, Tensor]], None]]:
        """A bar with images/s and time left; yields what to call with each step's terms."""
        columns = (
            TextColumn("Training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), speed_estimate_period=120) as bar:
            task = bar.add_task("", total=total, completed=done, rate="")

            def advance(terms: Mapping[str, Tensor]) -> None:
                for name, value in terms.items():
                    sum_, count = self._sums.get(name, (torch.zeros_like(value), 0))
                    self._sums[name] = (sum_ + value, count + 1)
                speed = bar.tasks[0].speed
                bar.update(task, advance=1, rate=f"{speed * batch_size:.0f} images/s" if speed else "")

            yield advance

    def log(self, step: int) -> dict[str, float]:
        """Write the means since the last call to metrics.jsonl and the tracker, and return them."""
        means = {name: float(sum_) / count for name, (sum_, count) in self._sums.items()}
        self._sums.clear()
        if means:
            row = {"step": step, **means}
            self._rows.append(row)
            try:
                with self._metrics.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            except OSError as error:
                raise unwritable(self._metrics, error) from None
            self._accelerator.log(means, step=step)
        return means

    def sample(self, step: int) -> None:
        """Draw the fixed prompts into samples/step-N.png, and all losses into losses.png."""
        noise = Noise(range(len(self._samples.prompts)), self._accelerator.device)
        with torch.inference_mode():
            images = self._generator.generate(self._samples.text.to(self._accelerator.device), noise)
        scale = max(1, 96 // self._generator.resolution)
        sheet = grid(to_pil(images), captions=self._samples.prompts, scale=scale)
        write_atomic(self._run / "samples" / f"step-{step:08d}.png", png_bytes(sheet))
        if self._rows:
            write_atomic(self._run / "losses.png", plot_losses(self._rows))


def plot_losses(rows: list[dict[str, Any]]) -> bytes:
    """A PNG with one panel per player and one line per term, over steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = sorted({name for row in rows for name in row if name != "step"})
    players = sorted({name.partition("/")[0] for name in names})
    figure = Figure(figsize=(8, 3 * len(players)), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, player in zip(figure.subplots(len(players), squeeze=False)[:, 0], players, strict=True):
        for name in (name for name in names if name.startswith(f"{player}/")):
            points = [(row["step"], row[name]) for row in rows if name in row]
            axes.plot(*zip(*points, strict=True), label=name.partition("/")[2], linewidth=1)
        axes.set(title=player, xlabel="step", ylabel="loss")
        axes.legend(fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of metrics.jsonl; a last one cut off by kill -9 is dropped."""
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                return
