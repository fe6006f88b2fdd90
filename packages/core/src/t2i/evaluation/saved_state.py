"""The state of a running evaluation's evaluators on disk."""

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
from t2i.files import cache_home, regular, write_atomic

SAVE_EVERY_SECONDS = 30.0


class Saved:
    """Saves the evaluators' states from time to time, so that an interrupted evaluation can continue."""

    def __init__(self, evaluators: Mapping[str, Evaluator], *key: Any) -> None:
        """
        Args:
            key: everything the evaluators' states depend on; another key means another evaluation and another file.
        """
        digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        self.path = cache_home() / "evaluations" / f"{digest[:32]}.safetensors"
        self._evaluators = evaluators
        self._last = time.monotonic()

    def load(self) -> tuple[int, int, float]:
        """Restore the evaluators' states.

        Returns:
            The number of batches seen, the number of pictures drawn, and the seconds that took; zeros if there is no
            complete file.
        """
        try:
            with safe_open(regular(self.path), framework="pt") as file:
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
        """Save the states after `done` batches, at most every SAVE_EVERY_SECONDS; see `load`."""
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
        """Delete the file when the evaluation is finished."""
        self.path.unlink(missing_ok=True)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
