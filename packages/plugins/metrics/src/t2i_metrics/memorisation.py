"""Memorisation: does the model reproduce its training pictures? Nearest neighbours in feature space show it."""

from __future__ import annotations

from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from t2i.create import load_dataset
from t2i.data.dataset import CaptionedDataset
from t2i.errors import InvalidInputError
from t2i.evaluator import Score
from t2i.images import from_uint8, grid, to_pil, to_uint8
from t2i_metrics.accumulating_evaluator import Batch
from t2i_metrics.accumulators import Rows
from t2i_metrics.dataset_features import dataset_features
from t2i_metrics.extractor import Activations
from t2i_metrics.feature_evaluator import FeatureEvaluator
from t2i_metrics.nearest_pairs import NearestPairs
from t2i_metrics.protocols import DEFAULT_PROTOCOL

NO_DISTANCE = 1e-4  # relative to a feature vector's length: the rounding difference between two passes of one picture


@final
class Memorisation(FeatureEvaluator):
    """The distance of generated pictures to their nearest training pictures, relative to that of held-out pictures.

    Held-out pictures are shown with real=True. If a model generalises, its pictures are about as far from the training
    set as pictures it has never seen (Meehan et al. 2020).
    """

    def __init__(
        self,
        *,
        train: str | CaptionedDataset = "openmoji:train",
        protocol: str = DEFAULT_PROTOCOL,
        extractor_weights: str | Path | None = None,
        pairs: int = 8,
    ) -> None:
        """
        Args:
            train: what the model was trained on, a dataset or its name; its features are computed once and cached.
            protocol, extractor_weights: as in `FeatureEvaluator`.
            pairs: how many of the generated pictures nearest to training pictures `pairs` shows.

        Raises:
            UnknownNameError, DataError: there is no dataset `train`.
            OfflineError, IntegrityError, InvalidInputError: as `FeatureEvaluator`, or pairs < 1.
        """
        if pairs < 1:
            raise InvalidInputError(f"memorisation needs pairs of at least 1, got {pairs}.")
        self._train = load_dataset(train) if isinstance(train, str) else train
        super().__init__("memorisation", protocol, extractor_weights, train=self._train.name)
        self.needs_square = True
        self.least_pictures = 2
        self._train_features: dict[int, tuple[Tensor, list[int]]] = {}  # keyed by the side of the pictures
        self._real, self._fake = self.keep("real", Rows()), self.keep("fake", Rows())
        self._pairs = self.keep("pair", NearestPairs(pairs))

    def add_features(self, seen: Activations, batch: Batch) -> None:
        features, positions = self._training(batch.images.shape[-1])
        # The expanded square would lose the small distances that matter here.
        apart = torch.cdist(seen.features, features, compute_mode="donot_use_mm_for_euclid_dist")  # b train
        distances, nearest = apart.min(dim=1)
        (self._real if batch.real else self._fake).add(distances[:, None])
        if not batch.real:
            self._pairs.add(distances, torch.tensor(positions)[nearest], to_uint8(batch.images).cpu())

    def compute(self) -> dict[str, Score]:
        """ "memorisation" and "copied".

        memorisation: the mean distance of generated pictures to training pictures, divided by that of held-out
        pictures; healthy is about 1, and well below 1 means that training pictures are reproduced. copied: the share
        of generated pictures that are nearer to a training picture than any held-out picture is.

        Raises:
            InvalidInputError: fewer than two pictures of a kind were seen, or the real ones are training pictures.
        """
        counts = {"held-out real": len(self._real), "generated": len(self._fake)}
        self.require(self.least_pictures, counts, "Evaluate on a held-out split.")
        real, fake = (kept.all()[:, 0].double() for kept in (self._real, self._fake))
        assert self.size.value  # pictures were seen
        features, positions = self._training(self.size.value[0])
        if real.mean() < NO_DISTANCE * features.norm(dim=1).mean():
            raise InvalidInputError(
                f"memorisation needs real pictures that the model was not trained on, but the {len(real)} shown are "
                f"training pictures of {self._train.name}. Evaluate on another split."
            )
        ratio = float(fake.mean() / real.mean())
        relative = [float(each.std() / each.mean()) ** 2 / len(each) for each in (real, fake) if each.mean() > 0]
        copied = (fake < real.min()).double()
        protocol = self.protocol(
            n_real=len(real), n_fake=len(fake), n_train=len(positions), train_sha256=self._train.fingerprint
        )
        copied_error = float(copied.std()) / len(copied) ** 0.5
        return {
            "memorisation": Score(ratio, protocol, standard_error=ratio * sum(relative) ** 0.5),
            "copied": Score(float(copied.mean()), protocol, standard_error=copied_error, higher_is_better=False),
        }

    def pairs(self) -> Image.Image:
        """The generated pictures nearest to training, nearest first, each with its training picture to the right.

        Raises:
            InvalidInputError: no generated picture was seen.
        """
        distances, positions, pixels = self._pairs.all()
        if not len(distances):
            raise InvalidInputError("pairs shows generated pictures, but none was seen. Call update with some first.")
        side = pixels.shape[-1]
        pictures, captions = [], []
        generated = to_pil(from_uint8(pixels))
        for distance, position, picture in zip(distances.tolist(), positions.tolist(), generated, strict=True):
            pictures += [picture, self._train.picture(position, side)[0]]
            captions += [f"{distance:.3g}", self._train.examples[position].captions[0]]
        return grid(pictures, columns=4, captions=captions, scale=max(1, 96 // side))

    def _training(self, side: int) -> tuple[Float[Tensor, "n d"], list[int]]:
        """The features of the training pictures at `side` pixels, and their positions in the dataset."""
        if side not in self._train_features:
            self._train_features[side] = dataset_features(self._train, side, self.extractor)
        return self._train_features[side]
