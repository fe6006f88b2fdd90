"""What the evaluators of an evaluation have seen, kept on disk while it goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from t2i.errors import T2IError
from t2i.evaluator import Evaluator
from t2i.files import cache_home, write_atomic

SAVE_EVERY_SECONDS = 30.0


class Saved:
    """What the evaluators have seen, on disk now and then, so that an interrupted evaluation can go on."""

    def __init__(self, evaluators: Mapping[str, Evaluator], *key: Any) -> None:
        """
        Args:
            key: everything the evaluators' states depend on; what is kept under another belongs to another evaluation.
        """
        digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        self.path = cache_home() / "evaluations" / f"{digest[:32]}.safetensors"
        self._evaluators = evaluators
        self._last = time.monotonic()

    def load(self) -> tuple[int, int, float]:
        """Give the evaluators what they had seen.

        Returns:
            How many batches that was, how many pictures were drawn, and in how many seconds; zeros where nothing whole
            is there.
        """
        try:
            with safe_open(self.path, framework="pt") as file:
                said = file.metadata()
                done, drawn, seconds = int(said["done"]), int(said["drawn"]), float(said["seconds"])
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            for name, evaluator in self._evaluators.items():
                evaluator.merge(_under(f"{name}/", tensors))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, T2IError):
            for evaluator in self._evaluators.values():
                evaluator.reset()
            return 0, 0, 0.0
        return done, drawn, seconds

    def keep(self, done: int, drawn: int, seconds: float) -> None:
        """Write what has been seen in `done` batches, at most every SAVE_EVERY_SECONDS; see `load`."""
        if time.monotonic() - self._last >= SAVE_EVERY_SECONDS:
            tensors = {
                f"{name}/{key}": tensor.contiguous()
                for name, evaluator in self._evaluators.items()
                for key, tensor in evaluator.state().items()
            }
            said = {"done": str(done), "drawn": str(drawn), "seconds": str(seconds)}
            write_atomic(self.path, save(tensors, metadata=said))
            self._last = time.monotonic()

    def forget(self) -> None:
        """The evaluation is over."""
        self.path.unlink(missing_ok=True)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
