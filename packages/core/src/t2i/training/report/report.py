"""What a run shows of itself: a progress bar, metrics.jsonl, a tracker, sample grids, losses.png and index.html."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from t2i.data.prepare import PreparedData
from t2i.drawing.provenance import png_bytes
from t2i.files import unwritable, write_atomic
from t2i.generator import Generator
from t2i.images import grid, to_pil
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.training.processes import Processes
from t2i.training.report.curves import plot_curves, read_rows
from t2i.training.report.health import diagnose
from t2i.training.report.page import run_page


@dataclass(frozen=True)
class Samples:
    """The prompts a run draws again and again, to be looked at; picture i has seed i.

    Attributes:
        options: the generator's own, see its `options_type`.
    """

    prompts: tuple[str, ...]
    text: TextEmbedding
    options: Mapping[str, Any] = field(default_factory=dict)


def default_samples(data: PreparedData, count: int = 16) -> Samples:
    """`count` captions spread over the dataset, the first of a picture each."""
    pictures = torch.linspace(0, len(data.captions_of) - 1, min(count, len(data.captions_of))).long().tolist()
    captions = [data.captions_of[picture][0] for picture in pictures]
    return Samples(tuple(data.caption_texts[index] for index in captions), data.captions[torch.tensor(captions)])


class RunReport:
    """Collects loss terms on the device and writes them where people look; process 0 alone writes.

    A report of a resumed run drops what an interrupted one wrote beyond the checkpoint.
    """

    def __init__(
        self,
        run: Path,
        accelerator: Accelerator,
        processes: Processes,
        generator: Generator,
        samples: Samples,
        step: int,
        steps: int,
        warn: Callable[[str], None],
    ) -> None:
        """
        Args:
            generator: what samples are drawn with (the moving average).
            step: how many steps are done already, of `steps`.
            warn: told once of each illness the rows show.
        """
        self._run, self._accelerator, self._processes = run, accelerator, processes
        self._generator, self._samples, self._warn = generator, samples, warn
        self._step, self._steps = step, steps
        self._sums: dict[str, tuple[Tensor, int]] = {}
        self._metrics = run / "metrics.jsonl"
        self._rows = [row for row in read_rows(self._metrics) if row["step"] <= step]
        self._illnesses = diagnose(self._rows)
        if processes.main:
            write_atomic(self._metrics, "".join(f"{json.dumps(row)}\n" for row in self._rows).encode())

    @contextmanager
    def trackers(self) -> Iterator[None]:
        """Keep the tracker open, on process 0."""
        name = "" if "tensorboard" in map(str, self._accelerator.log_with) else self._run.resolve().name
        self._accelerator.init_trackers(name, init_kwargs={"tensorboard": {"purge_step": self._step + 1}})
        yield
        for tracker in self._accelerator.trackers:  # Accelerate's end_training would part the processes too
            tracker.finish()

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
        console, hidden = Console(stderr=True), not self._processes.main
        with Progress(*columns, console=console, speed_estimate_period=120, disable=hidden) as bar:
            task = bar.add_task("", total=total, completed=done, rate="")

            def advance(terms: Mapping[str, Tensor]) -> None:
                for name, value in terms.items():
                    sum_, count = self._sums.get(name, (torch.zeros_like(value), 0))
                    self._sums[name] = (sum_ + value, count + 1)
                speed = bar.tasks[0].speed
                bar.update(task, advance=1, rate=f"{speed * batch_size:.0f} images/s" if speed else "")

            yield advance

    def log(self, step: int, measures: Mapping[str, float]) -> dict[str, float]:
        """Write the terms' means since the last call, and `measures`, to metrics.jsonl and the tracker.

        Returns:
            The terms' means, over all processes.
        """
        if not self._sums:
            return {}
        totals = self._processes.sum_(torch.stack([sum_ for sum_, _ in self._sums.values()])).tolist()
        means = {name: total / count for (name, (_, count)), total in zip(self._sums.items(), totals, strict=True)}
        self._sums.clear()
        if self._processes.main:
            row = {"step": step, **means, **measures}
            self._rows.append(row)
            try:
                with self._metrics.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            except OSError as error:
                raise unwritable(self._metrics, error) from None
            self._accelerator.log({**means, **measures}, step=step)
            for subject, sentence in diagnose(self._rows).items():
                if self._illnesses.setdefault(subject, sentence) is sentence:
                    self._warn(f"step {step}: {sentence}")
        return means

    def sample(self, step: int) -> None:
        """Draw the fixed prompts into samples/step-N.png, all losses into losses.png, and the run's page anew."""
        if not self._processes.main:
            return
        noise = Noise(range(len(self._samples.prompts)), self._accelerator.device)
        with torch.inference_mode():
            text = self._samples.text.to(self._accelerator.device)
            images = self._generator.generate(text, noise, self._generator.options(**self._samples.options))
        scale = max(1, 96 // self._generator.resolution)
        sheet = grid(to_pil(images), captions=self._samples.prompts, scale=scale)
        write_atomic(self._run / "samples" / f"step-{step:08d}.png", png_bytes(sheet))
        if self._rows:
            write_atomic(self._run / "losses.png", plot_curves(self._rows))
        settings = self._run / "run.yaml"
        page = run_page(
            self._run,
            self._rows,
            self._samples.prompts,
            list(self._illnesses.values()),
            self._steps,
            settings.read_text(encoding="utf-8") if settings.is_file() else "",
        )
        write_atomic(self._run / "index.html", page.encode())
