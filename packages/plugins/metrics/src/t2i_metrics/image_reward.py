"""ImageReward: how much people would like a picture for its caption (Xu et al., NeurIPS 2023)."""

from __future__ import annotations

from typing import ClassVar, final

import torch

from t2i.errors import InvalidInputError
from t2i.evaluator import Score
from t2i_metrics.accumulating_evaluator import AccumulatingEvaluator, Batch
from t2i_metrics.accumulators import Rows
from t2i_metrics.reward_model import RewardModel

FEWEST = 2  # a standard error needs two


@final
class ImageReward(AccumulatingEvaluator):
    """The mean reward of pictures and their captions; the difference of two rewards is the log odds that people prefer
    the first (sec. 2.3 of the paper). On the authors' data rewards have mean 0 and standard deviation 1."""

    needs_captions: ClassVar[bool] = True

    def __init__(self, model: str | RewardModel = "") -> None:
        """
        Args:
            model: a folder or "org/name[@revision]" that `t2i judge convert-image-reward` wrote, "untrained" (for
                checks), or such a model.

        Raises:
            InvalidInputError: no model is named.
            OfflineError, SnapshotError: it is not on this machine, or cannot be read.
        """
        if not model:
            raise InvalidInputError(
                "image_reward needs the authors' weights, which exist only as a pickle. Convert it once: "
                "t2i judge convert-image-reward ImageReward.pt -o FOLDER; and name the folder: "
                "--setting image_reward.model=FOLDER"
            )
        self._model = RewardModel(model) if isinstance(model, str) else model
        identity = {"model": self._model.name, "model_sha256": self._model.sha256, **self._model.protocol}
        super().__init__("image_reward", identity)
        self.least_pictures = FEWEST
        self._fake = self.keep("fake", Rows(empty=torch.empty(0)))
        self._real = self.keep("real", Rows(empty=torch.empty(0)))

    def add(self, batch: Batch) -> None:
        assert batch.captions is not None  # captions are required
        (self._real if batch.real else self._fake).add(self._model.rewards(batch.images, batch.captions))

    def compute(self) -> dict[str, Score]:
        """ "image_reward"; and "image_reward_ceiling", that of the real pictures, if at least two were seen.

        Raises:
            InvalidInputError: fewer than two generated pictures were seen.
        """
        self.require(self.least_pictures, {"generated": len(self._fake)}, "Draw more.")
        scores = {"image_reward": self._score(self._fake, "n_fake")}
        if len(self._real) >= FEWEST:
            scores["image_reward_ceiling"] = self._score(self._real, "n_real")
        return scores

    def _score(self, seen: Rows, count: str) -> Score:
        each = seen.all().double()
        error = float(each.std() / len(each) ** 0.5)
        return Score(float(each.mean()), self.protocol(**{count: len(seen)}), standard_error=error)
