"""Does the model draw its training pictures again? Nearest neighbours in feature space tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from t2i.create import load_dataset
from t2i.data.dataset import CaptionedDataset
from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i.images import from_uint8, grid, to_pil, to_uint8
from t2i_metrics.bank import Bank
from t2i_metrics.protocols import DEFAULT_PROTOCOL
from t2i_metrics.reader import Reader, few
from t2i_metrics.reference import dataset_features

KEPT = ("pair_distances", "pair_positions", "pair_pixels")


@final
class Memorisation(Evaluator):
    """Each generated picture's distance to the nearest training picture, beside that of held-out real pictures.

    Show it the held-out ones with real=True. Of a model that knows no more than what it should, generated pictures are
    about as far from the training set as pictures it has never seen (Meehan et al. 2020).
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
            train: what the model was trained on, a dataset or its name; its features are worked out once and cached.
            protocol, extractor_weights: as in `Reader`.
            pairs: how many of the generated pictures nearest to training are kept to be looked at.

        Raises:
            UnknownNameError, DataError: there is no dataset `train`.
            OfflineError, IntegrityError, InvalidInputError: as `Reader` does, or pairs < 1.
        """
        if pairs < 1:
            raise InvalidInputError(f"At least one pair is kept, but pairs={pairs} came.")
        self._train = load_dataset(train) if isinstance(train, str) else train
        self._reader = Reader("memorisation", protocol, extractor_weights, train=self._train.name)
        self._train_features: Tensor | None = None
        self._train_positions: list[int] = []
        self._pairs = pairs
        self.reset()

    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        """Take in b generated pictures, or b held-out real ones; captions and groups are not read.

        Raises:
            InvalidInputError: see `Evaluator.update`, or the pictures are not square, as those of datasets are.
            DataError: no training picture can be read.
        """
        distances, nearest = self._nearest(self._reader(images).features)
        (self._real if real else self._fake).add(distances[:, None])
        if not real:
            self._keep(distances, nearest, to_uint8(images).cpu())

    def compute(self) -> dict[str, Score]:
        """ "memorisation" and "copied".

        memorisation: mean distance of generated pictures to training over that of held-out ones; about 1 is healthy,
        well below 1 means that training pictures are drawn again. copied: the share of generated pictures nearer to
        training than any held-out picture.

        Raises:
            InvalidInputError: fewer than two pictures of a kind were seen, or the real ones are training pictures.
        """
        counts = {"held-out real": len(self._real), "generated": len(self._fake)}
        if min(counts.values()) < 2:
            raise few("memorisation", 2, counts, "Evaluate on a held-out split.")
        real, fake = (bank.rows()[:, 0].double() for bank in (self._real, self._fake))
        if real.mean() < 1e-4 * self._typical_length():
            raise InvalidInputError(
                f"memorisation measures by held-out pictures, but the {len(real)} real ones that came are training "
                f"pictures of {self._train.name}. Evaluate on another split."
            )
        ratio = float(fake.mean() / real.mean())
        relative = [float(each.std() / each.mean()) ** 2 / len(each) for each in (real, fake) if each.mean() > 0]
        copied = (fake < real.min()).double()
        protocol = self._reader.protocol(
            n_real=len(real), n_fake=len(fake), n_train=len(self._train_positions), train_sha256=self._train.fingerprint
        )
        return {
            "memorisation": Score(ratio, protocol, standard_error=ratio * sum(relative) ** 0.5),
            "copied": Score(
                float(copied.mean()),
                protocol,
                standard_error=float(copied.std()) / len(copied) ** 0.5,
                higher_is_better=False,
            ),
        }

    def pairs(self) -> Image.Image:
        """The generated pictures nearest to training, nearest first, each with its training picture to the right.

        Raises:
            InvalidInputError: no generated picture was seen.
        """
        distances, positions, pixels = self._kept()
        if not len(distances):
            raise InvalidInputError("Pairs are of generated pictures, but none came. Show some with real=False.")
        side = pixels.shape[-1]
        pictures, captions = [], []
        generated = to_pil(from_uint8(pixels))
        for distance, position, picture in zip(distances.tolist(), positions.tolist(), generated, strict=True):
            pictures += [picture, self._train.picture(position, side)[0]]
            captions += [f"{distance:.3g}", self._train.examples[position].captions[0]]
        return grid(pictures, columns=4, captions=captions, scale=max(1, 96 // side))

    def state(self) -> dict[str, Tensor]:
        """Distances of all pictures seen, and the nearest pairs."""
        kept = dict(zip(KEPT, self._kept(), strict=True))
        return {**self._reader.state(), "real": self._real.rows(), "fake": self._fake.rows(), **kept}

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Append another's distances and keep the nearest pairs of both; see `Evaluator.merge`."""
        self._reader.merge(state)
        self._real.add(state["real"])
        self._fake.add(state["fake"])
        if len(state["pair_distances"]):
            self._keep(*(state[name] for name in KEPT))

    def reset(self) -> None:
        """Forget everything seen; the training features stay."""
        self._reader.reset()
        self._real, self._fake = Bank(), Bank()
        self._nearest_pairs: tuple[Tensor, Tensor, Tensor] | None = None

    def _nearest(self, features: Float[Tensor, "b d"]) -> tuple[Float[Tensor, b], Int[Tensor, b]]:
        """Distance to the nearest training picture, and its position in the dataset."""
        assert self._reader.size
        height, width = self._reader.size
        if height != width:
            raise InvalidInputError(f"Datasets give square pictures, but {width}x{height} came. Crop them.")
        if self._train_features is None:
            self._train_features, self._train_positions = dataset_features(self._train, height, self._reader.extractor)
        # The expanded square loses the small distances that matter here.
        all_distances = torch.cdist(features, self._train_features, compute_mode="donot_use_mm_for_euclid_dist")
        distances, nearest = all_distances.min(dim=1)
        return distances, torch.tensor(self._train_positions)[nearest]

    def _keep(self, distances: Tensor, positions: Tensor, pixels: Tensor) -> None:
        """Let the nearest of the pairs kept and these remain, nearest first."""
        if self._nearest_pairs is not None:
            old = self._nearest_pairs
            distances, positions, pixels = (
                torch.cat(pair) for pair in zip(old, (distances, positions, pixels), strict=True)
            )
        order = distances.argsort(stable=True)[: self._pairs]
        self._nearest_pairs = distances[order], positions[order], pixels[order]

    def _kept(self) -> tuple[Tensor, Tensor, Tensor]:
        if self._nearest_pairs is not None:
            return self._nearest_pairs
        return torch.empty(0), torch.empty(0, dtype=torch.int64), torch.empty(0, 3, 0, 0, dtype=torch.uint8)

    def _typical_length(self) -> float:
        assert self._train_features is not None
        return float(self._train_features.norm(dim=1).mean())
