"""R-precision: is a picture nearer to its own caption than to 99 others (Xu et al. 2018, sec. 4.1)?"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i_metrics.captioned import Captioned, check_captioned, check_settings, text_tensor
from t2i_metrics.image_text import JUDGE, ImageTextEncoder, create_image_text_encoder

NAME = "R-precision"
CHUNK = 256  # pictures ranked at once
RESAMPLES = 1000


@final
class RPrecision(Evaluator):
    """The share of pictures whose own caption ranks first, by cosine, among it and captions of other groups.

    The other captions are drawn from those seen, by a hash of the caption itself: so every model is asked the same
    questions, in whatever order or process its pictures come. Each caption is encoded once.

    `compute` gives "r_precision", its floor "r_precision_chance" and, where real pictures were seen,
    "r_precision_ceiling": what the encoder makes of them under the same questions.
    """

    def __init__(
        self, encoder: str | ImageTextEncoder = JUDGE, *, distractors: int = 99, folds: int = 10, seed: int = 0
    ) -> None:
        """
        Args:
            encoder: "judge", "clip:org/name", "clip:folder", or an encoder; one that did not train the model.
            distractors: wrong captions beside the right one.
            folds: the standard error is that of the mean over so many parts.
            seed: of the choice of distractors.

        Raises:
            InvalidInputError: a number is outside its range.
            UnknownNameError, SnapshotError: as `create_image_text_encoder`.
        """
        if distractors < 1 or folds < 2:
            raise InvalidInputError(
                f"{NAME} takes at least 1 distractor and 2 folds, but distractors={distractors}, folds={folds} came."
            )
        self._encoder = create_image_text_encoder(encoder) if isinstance(encoder, str) else encoder
        self._distractors, self._folds, self._seed = distractors, folds, seed
        self.reset()

    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        captions = check_captioned(images, captions, NAME)
        if groups is None or len(groups) != len(images):
            raise InvalidInputError(
                f"{NAME} takes wrong captions from other groups, so it needs one group a picture, but "
                f"{'none' if groups is None else len(groups)} came with {len(images)} pictures."
            )
        seen = self._real if real else self._fake
        seen.add(self._encoder.images(images), captions, groups)

    def compute(self) -> dict[str, Score]:
        if len(self._fake) < self._folds:
            raise InvalidInputError(
                f"{NAME} over {self._folds} folds needs at least {self._folds} generated pictures, but "
                f"{len(self._fake)} were seen."
            )
        captions, groups = _pool(self._fake, self._real)
        place = {pair: index for index, pair in enumerate(zip(captions, groups, strict=True))}
        candidates = draw_candidates(captions, groups, self._distractors, self._seed)
        text = self._encoder.captions(captions)
        pool = hashlib.sha256("\0".join(captions).encode()).hexdigest()
        protocol = {**self._settings(), **self._encoder.protocol, "captions": f"{len(captions)}, sha256 {pool}"}

        def score(seen: Captioned, count: str) -> Score:
            own = np.array([place[pair] for pair in zip(seen.captions, seen.groups, strict=True)])
            hits = first_ranked(seen.all_vectors(), text, torch.from_numpy(candidates[own])).numpy()
            return self._score(hits, seen.captions, {**protocol, count: str(len(seen))})

        scores = {"r_precision": score(self._fake, "n_fake")}
        if len(self._real) >= self._folds:
            scores["r_precision_ceiling"] = score(self._real, "n_real")
        scores["r_precision_chance"] = Score(1 / (1 + self._distractors), {**protocol, "n": "closed form"})
        return scores

    def state(self) -> dict[str, Tensor]:
        return {
            "settings": text_tensor(self._settings()),
            **self._fake.state("fake"),
            **self._real.state("real"),
        }

    def merge(self, state: Mapping[str, Tensor]) -> None:
        check_settings(state, self._settings(), self.state(), NAME)
        self._fake.merge("fake", state)
        self._real.merge("real", state)

    def reset(self) -> None:
        self._fake, self._real = Captioned(), Captioned()

    def _settings(self) -> dict[str, str]:
        return {
            "judge": NAME,
            "encoder": self._encoder.name,
            "sha256": self._encoder.sha256,
            "distractors": f"{self._distractors} of other groups",
            "folds": str(self._folds),
            "distractor_seed": str(self._seed),
        }

    def _score(self, hits: np.ndarray, captions: Sequence[str], protocol: Mapping[str, str]) -> Score:
        by_caption: defaultdict[str, list[bool]] = defaultdict(list)
        for caption, hit in zip(captions, hits.tolist(), strict=True):
            by_caption[caption].append(hit)
        # In an order that neither batches nor processes change; pictures of one caption stay together.
        shuffled = sorted(by_caption, key=lambda caption: _digest(self._seed, caption))
        ordered = np.concatenate([sorted(by_caption[caption]) for caption in shuffled])
        folds = [fold.mean() for fold in np.array_split(ordered, self._folds)]
        return Score(
            float(hits.mean()),
            protocol,
            standard_error=float(np.std(folds, ddof=1) / self._folds**0.5),
            interval=_bootstrap([by_caption[caption] for caption in shuffled]),
        )


def draw_candidates(
    captions: Sequence[str], groups: Sequence[str], distractors: int, seed: int
) -> Int[np.ndarray, "c k"]:
    """For each caption its own position and, after it, those of `distractors` captions of other groups, none twice.

    Raises:
        InvalidInputError: there are not that many.
    """
    text, group = (np.unique(names, return_inverse=True)[1] for names in (captions, groups))
    rows = []
    for own, caption in enumerate(captions):
        others = np.flatnonzero((group != group[own]) & (text != text[own]))
        if len(others) < distractors:
            raise InvalidInputError(
                f"{NAME} shows each picture {distractors} captions of other groups, but only {len(others)} stand "
                f"beside {caption!r} ({len(set(groups))} groups in all). Evaluate more pictures or more "
                f"kinds of them, or set fewer distractors."
            )
        stream = np.random.default_rng(int.from_bytes(_digest(seed, caption)[:8]))
        rows.append([own, *stream.choice(others, distractors, replace=False)])
    return np.array(rows)


def first_ranked(
    images: Float[Tensor, "n d"], text: Float[Tensor, "c d"], candidates: Int[Tensor, "n k"]
) -> Bool[Tensor, " n"]:
    """Whether each picture is nearer, by cosine, to its first candidate than to every other; a tie is a miss."""
    found = []
    for rows, wanted in zip(torch.split(images, CHUNK), torch.split(candidates, CHUNK), strict=True):
        cosine = torch.einsum("bd,bkd->bk", rows, text[wanted])
        found.append((cosine[:, :1] > cosine[:, 1:]).all(1))
    return torch.cat(found)


def _pool(*seen: Captioned) -> tuple[list[str], list[str]]:
    """Every (caption, group) seen, sorted."""
    pairs = sorted({pair for each in seen for pair in zip(each.captions, each.groups, strict=True)})
    captions, groups = zip(*pairs, strict=True)
    return list(captions), list(groups)


def _bootstrap(hits: Sequence[Sequence[bool]]) -> tuple[float, float]:
    """The 95 % interval of the mean hit over captions drawn again with replacement (Efron 1979)."""
    right, shown = np.array([sum(each) for each in hits]), np.array([len(each) for each in hits])
    drawn = np.random.default_rng(0).integers(len(hits), size=(RESAMPLES, len(hits)))
    low, high = np.percentile(right[drawn].sum(1) / shown[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)


def _digest(seed: int, caption: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{caption}".encode()).digest()
