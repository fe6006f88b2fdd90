"""FID, the Fréchet distance of features (Heusel et al., NeurIPS 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

from jaxtyping import Float
from torch import Tensor

from t2i.create import load_dataset
from t2i.data.dataset import CaptionedDataset
from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i_metrics.frechet import frechet_distance
from t2i_metrics.moments import Moments
from t2i_metrics.protocols import DEFAULT_PROTOCOL
from t2i_metrics.reader import Reader
from t2i_metrics.reference import HUB, Reference, dataset_reference, read_reference

STATISTICS = (".safetensors", ".npz")


@final
class FID(Evaluator):
    """How far the generated pictures' features are from the real ones', both taken as Gaussians.

    It shrinks with the number of pictures: compare only at equal numbers, which the score's protocol holds.
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
            protocol, extractor_weights: as in `Reader`.
            reference: what to compare with instead of the real pictures, which are then not looked at: a dataset's
                name, whose statistics are worked out once and cached; a file that `save_statistics` (.safetensors) or
                pytorch-fid (.npz) wrote; or "hf-hub:org/repo/file[@revision]".
            min_images: fewest of each kind; by default one more than there are features, below which a covariance is
                singular.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `Reader` does, or `reference` cannot
                be read, or was made by another protocol.
            SnapshotError: the Hub has or gives no such `reference`.
        """
        named = {"reference": str(reference)} if reference is not None else {}
        self._reader = Reader("fid", protocol, extractor_weights, **named)
        self._reference: Reference | None = None
        self._dataset: CaptionedDataset | None = None
        if reference is not None and (str(reference).startswith(HUB) or Path(reference).suffix in STATISTICS):
            self._reference = read_reference(reference, self._reader.extractor)
        elif reference is not None:
            self._dataset = load_dataset(str(reference))
        self._need = self._reader.dim + 1 if min_images is None else min_images
        if self._need < 2:
            raise InvalidInputError(f"A covariance needs at least 2 pictures, but min_images={min_images} came.")
        self.reset()

    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        """Take in b pictures; captions and groups are not read, nor are real pictures where a reference was given."""
        if real and (self._reference or self._dataset):
            return
        features = self._reader(images).features
        (self._real if real else self._fake).add(features)

    def compute(self) -> dict[str, Score]:
        """ "fid", at least 0; lower is better.

        Raises:
            InvalidInputError: too few pictures of a kind were seen for a covariance.
            DataError: the dataset named as reference cannot be read.
        """
        if self._dataset and self._reference is None and self._reader.size:
            self._reference = dataset_reference(self._dataset, self._side(), self._reader.extractor)
        n_real, n_fake = self._reference.count if self._reference else self._real.count, self._fake.count
        if min(n_fake, n_fake if n_real is None else n_real) < self._need:
            raise InvalidInputError(
                f"fid needs at least {self._need} pictures of each kind for a covariance of {self._reader.dim} "
                f"features, but {n_real} real and {n_fake} generated came. Give it more; or take kid, unbiased at any "
                f"number; or set min_images, knowing that a singular covariance makes the value too high."
            )
        real, fake = self._reference or Reference.of(self._real), Reference.of(self._fake)
        protocol = self._reader.protocol(n_real="not said" if n_real is None else n_real, n_fake=n_fake)
        if real.sha256:
            protocol["reference_sha256"] = real.sha256
        value = frechet_distance(fake.mean, fake.covariance, real.mean, real.covariance)
        return {"fid": Score(max(0.0, value), protocol, higher_is_better=False)}

    def save_statistics(self, path: Path) -> None:
        """Write the real pictures' mean and covariance with their protocol, to be a `reference` later.

        Raises:
            InvalidInputError: fewer than two real pictures were seen.
            OutputError: `path` cannot be written.
        """
        if self._real.count < 2:
            raise InvalidInputError(
                f"Statistics are of at least 2 real pictures, but {self._real.count} came. Show them with real=True."
            )
        Reference.of(self._real).save(path, self._reader.protocol())

    def state(self) -> dict[str, Tensor]:
        """The sums over all pictures seen; their size does not depend on how many."""
        return {**self._reader.state(), **self._real.state("real"), **self._fake.state("fake")}

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Add another's sums; see `Evaluator.merge`."""
        self._reader.merge(state)
        self._real.merge("real", state)
        self._fake.merge("fake", state)

    def reset(self) -> None:
        """Forget everything seen."""
        self._reader.reset()
        if self._reference and self._reference.size:
            self._reader.check_size(self._reference.size)
        self._real, self._fake = Moments(self._reader.dim), Moments(self._reader.dim)

    def _side(self) -> int:
        assert self._reader.size
        height, width = self._reader.size
        if height != width:
            raise InvalidInputError(f"Datasets give square pictures, but the generated ones are {width}x{height}.")
        return height
