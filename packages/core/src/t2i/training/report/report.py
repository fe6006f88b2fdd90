"""Reports a run's measurements: metrics.jsonl, a tracker and warnings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from torch import Tensor

from t2i.errors import TrainingError
from t2i.files import unwritable, write_atomic
from t2i.runs.folder import RunFolder
from t2i.training.processes import Processes
from t2i.training.report.curves import read_rows
from t2i.training.report.health import diagnose
from t2i.training.report.import_beside import import_beside


class RunReport:
    """Collects loss terms on the device and writes their means; only process 0 writes.

    A resumed run drops the rows that were written after its checkpoint.

    Attributes:
        rows: the rows of metrics.jsonl.
        warnings: problems that the rows show, by subject, each a sentence.
    """

    def __init__(
        self,
        run: RunFolder,
        accelerator: Accelerator,
        processes: Processes,
        step: int,
        warn: Callable[[str], None],
    ) -> None:
        """
        Args:
            step: number of steps already done.
            warn: called once with each warning.
        """
        self._name, self._metrics = run.path.resolve().name, run.metrics
        self._accelerator, self._processes = accelerator, processes
        self._step, self._warn = step, warn
        self._local = [*map(str, accelerator.log_with)] == ["tensorboard"]
        self._sums: dict[str, tuple[Tensor, int]] = {}
        self.rows = [row for row in read_rows(self._metrics) if row["step"] <= step]
        self.warnings = diagnose(self.rows)
        if processes.main:
            write_atomic(self._metrics, "".join(f"{json.dumps(row)}\n" for row in self.rows).encode())

    @contextmanager
    def trackers(self) -> Iterator[None]:
        """Keep the tracker open, on process 0. TensorBoard, which needs no server, starts with the first row.

        Raises:
            TrainingError: the tracker cannot start, such as one that finds no server.
        """
        if not self._local:
            self._start_trackers()
        elif self._processes.main:
            import_beside("torch.utils.tensorboard")
        yield
        for tracker in self._accelerator.trackers:  # Accelerate's end_training would also end the process group
            tracker.finish()

    def _start_trackers(self) -> None:
        name = "" if self._local else self._name
        try:
            self._accelerator.init_trackers(name, init_kwargs={"tensorboard": {"purge_step": self._step + 1}})
        except Exception as error:  # each tracker raises its own
            named = ", ".join(map(str, self._accelerator.log_with))
            raise TrainingError(
                f"The tracker {named} cannot start ({type(error).__name__}: {error}). Set it up, or choose "
                f"train.tracker=tensorboard or none, and continue with t2i train --resume."
            ) from None

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Collect the terms of a step."""
        for name, value in terms.items():
            sum_, count = self._sums.get(name, (torch.zeros_like(value), 0))
            self._sums[name] = (sum_ + value, count + 1)

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
            self.rows.append(row)
            try:
                with self._metrics.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            except OSError as error:
                raise unwritable(self._metrics, error) from None
            if self._local and not self._accelerator.trackers:
                self._start_trackers()
            self._accelerator.log({**means, **measures}, step=step)
            for subject, sentence in diagnose(self.rows).items():
                if self.warnings.setdefault(subject, sentence) is sentence:
                    self._warn(f"step {step}: {sentence}")
        return means
