"""FID, the Fréchet distance of features (Heusel et al., NeurIPS 2017)."""

from __future__ import annotations

from pathlib import Path
from typing import final

from t2i.create import load_dataset
from t2i.data.dataset import CaptionedDataset
from t2i.errors import InvalidInputError
from t2i.evaluator import Score
from t2i_metrics.accumulating_evaluator import Batch
from t2i_metrics.dataset_features import dataset_reference
from t2i_metrics.extractor import Activations
from t2i_metrics.feature_evaluator import FeatureEvaluator
from t2i_metrics.frechet import frechet_distance
from t2i_metrics.moments import Moments
from t2i_metrics.protocols import DEFAULT_PROTOCOL
from t2i_metrics.reference import Reference, names_statistics, read_reference

ADVICE = (
    "Fewer give a singular covariance. Evaluate more pictures; or use kid, which is unbiased at any number; or set "
    "a lower min_images: with so few pictures, the value is too high."
)


@final
class FID(FeatureEvaluator):
    """The distance between the features of generated and real pictures, each set taken as a Gaussian.

    It shrinks as the number of pictures grows, so values can only be compared at equal numbers, which
    the protocol records.
    """

    def __init__(
        self,
        *,
        protocol: str = DEFAULT_PROTOCOL,
        extractor_weights: str | Path | None = None,
        reference: str | Path | None = None,
        min_images: int | None = None,
    ) -> None:
        """
        Args:
            protocol, extractor_weights: as in `FeatureEvaluator`.
            reference: replaces the real pictures, which are then ignored: a dataset's name, whose statistics are
                computed once and cached; a file written by `save_statistics` (.safetensors) or by pytorch-fid (.npz);
                or "hf-hub:org/repo/file[@revision]".
            min_images: fewest pictures of each kind; by default one more than there are features, because a covariance
                of fewer is singular.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `FeatureEvaluator`, or `reference`
                cannot be read, or was made by another protocol.
            SnapshotError: the Hub does not give `reference`.
        """
        named = {"reference": str(reference)} if reference is not None else {}
        super().__init__("fid", protocol, extractor_weights, **named)
        dim = self.extractor.protocol.dim
        self._real, self._fake = self.keep("real", Moments(dim)), self.keep("fake", Moments(dim))
        self.reads_real = reference is None
        self._reference: Reference | CaptionedDataset | None = None
        if reference is not None and names_statistics(reference):
            self._reference = read_reference(reference, self.extractor)
            self.size.fix(self._reference.size)
        elif reference is not None:
            self._reference = load_dataset(str(reference))
            self.needs_square = True
        self.least_pictures = dim + 1 if min_images is None else min_images
        if self.least_pictures < 2:
            raise InvalidInputError(f"fid needs min_images of at least 2, got {min_images}.")

    def add_features(self, seen: Activations, batch: Batch) -> None:
        (self._real if batch.real else self._fake).add(seen.features)

    def compute(self) -> dict[str, Score]:
        """ "fid", at least 0; lower is better.

        Raises:
            InvalidInputError: fewer than `min_images` pictures of a kind were seen.
            DataError: the dataset named as reference cannot be read.
        """
        counts = {"real": self._real.count} if self.reads_real else {}
        self.require(self.least_pictures, counts | {"generated": self._fake.count}, ADVICE)
        real, fake = self._real_side(), Reference.of(self._fake)
        if real.count is not None:
            self.require(self.least_pictures, {"reference": real.count}, ADVICE)
        protocol = self.protocol(n_real="not stated" if real.count is None else real.count, n_fake=self._fake.count)
        if real.sha256:
            protocol["reference_sha256"] = real.sha256
        value = frechet_distance(fake.mean, fake.covariance, real.mean, real.covariance)
        return {"fid": Score(max(0.0, value), protocol, higher_is_better=False)}

    def save_statistics(self, path: Path) -> None:
        """Write the mean and covariance of the real pictures with their protocol, to be used as a `reference`.

        Raises:
            InvalidInputError: fewer than two real pictures were seen.
            OutputError: `path` cannot be written.
        """
        self.require(2, {"real": self._real.count}, "Call update with real=True first.")
        Reference.of(self._real).save(path, self.protocol())

    def _real_side(self) -> Reference:
        if isinstance(self._reference, CaptionedDataset):
            assert self.size.value  # pictures were seen
            return dataset_reference(self._reference, self.size.value[0], self.extractor)
        return self._reference or Reference.of(self._real)
