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
from t2i_metrics.captioned import Captioned, CaptionedReader
from t2i_metrics.image_text import JUDGE, ImageTextEncoder

AT_ONCE = 256  # pictures ranked together
RESAMPLES = 1000


@final
class RPrecision(Evaluator):
    """The share of pictures whose own caption ranks first, by cosine, among it and captions of other groups.

    Wrong captions are chosen, from all captions seen, by a hash of the right one: every model meets the same questions,
    in whatever order or process its pictures come. Each caption is encoded once. The encoder is to be one that did not
    train the model; the paper's own, DAMSM, was also its training loss.
    """

    def __init__(
        self, encoder: str | ImageTextEncoder = JUDGE, *, distractors: int = 99, folds: int = 10, seed: int = 0
    ) -> None:
        """
        Args:
            encoder: "judge", "clip:org/name[@revision]", "clip:folder", or an encoder of your own.
            distractors: wrong captions beside the right one.
            folds: the standard error is that of the mean over so many parts.
            seed: of the choice of wrong captions.

        Raises:
            InvalidInputError: a number is too low.
            UnknownNameError, SnapshotError: as `create_image_text_encoder`.
        """
        if distractors < 1 or folds < 2:
            raise InvalidInputError(
                f"r_precision takes at least 1 distractor and 2 folds, but distractors={distractors} and "
                f"folds={folds} came."
            )
        question = f"1 of {1 + distractors}, others of other groups"
        self._reader = CaptionedReader(
            "r_precision", encoder, question=question, folds=str(folds), drawn=f"seed {seed}"
        )
        self._distractors, self._folds, self._seed = distractors, folds, seed

    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        """Take in b pictures with their captions; without groups, every other caption is a wrong one."""
        self._reader.read(images, captions, groups, real)

    def compute(self) -> dict[str, Score]:
        """ "r_precision", its floor "r_precision_chance", and "r_precision_ceiling" where real pictures were seen.

        The ceiling is what the encoder makes of the real pictures, asked the same questions.

        Raises:
            InvalidInputError: fewer pictures than folds were seen, or too few captions of other groups.
        """
        fake, real = self._reader.fake, self._reader.real
        if len(fake) < self._folds:
            raise InvalidInputError(
                f"r_precision over {self._folds} folds needs at least {self._folds} generated pictures, but "
                f"{len(fake)} came."
            )
        pool = sorted({*zip(fake.captions, fake.groups, strict=True), *zip(real.captions, real.groups, strict=True)})
        captions, groups = [caption for caption, _ in pool], [group for _, group in pool]
        candidates = draw_candidates(captions, groups, self._distractors, self._seed)
        place = {pair: position for position, pair in enumerate(pool)}
        text = self._reader.encoder.captions(captions)
        known = f"{len(pool)}, sha256 {hashlib.sha256(chr(0).join(captions).encode()).hexdigest()}"

        def score(seen: Captioned, count: str) -> Score:
            own = [place[pair] for pair in zip(seen.captions, seen.groups, strict=True)]
            hits = first_ranked(seen.rows(), text, torch.from_numpy(candidates[own])).tolist()
            return self._score(hits, seen.captions, self._reader.protocol(captions=known, **{count: len(seen)}))

        scores = {"r_precision": score(fake, "n_fake")}
        if len(real) >= self._folds:
            scores["r_precision_ceiling"] = score(real, "n_real")
        chance = self._reader.protocol(captions=known, how="closed form")
        return scores | {"r_precision_chance": Score(1 / (1 + self._distractors), chance)}

    def state(self) -> dict[str, Tensor]:
        """Vector, caption and group of all pictures seen."""
        return self._reader.state()

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Append another's; see `Evaluator.merge`."""
        self._reader.merge(state)

    def reset(self) -> None:
        """Forget everything seen."""
        self._reader.reset()

    def _score(self, hits: Sequence[bool], captions: Sequence[str], protocol: Mapping[str, str]) -> Score:
        by_caption: defaultdict[str, list[bool]] = defaultdict(list)
        for caption, hit in zip(captions, hits, strict=True):
            by_caption[caption].append(hit)
        # In an order that neither batches nor processes change; the pictures of one caption stay together.
        ordered = [sorted(by_caption[caption]) for caption in sorted(by_caption, key=lambda c: _digest(self._seed, c))]
        folds = [fold.mean() for fold in np.array_split(np.concatenate(ordered), self._folds)]
        return Score(
            float(np.mean(hits)),
            protocol,
            standard_error=float(np.std(folds, ddof=1) / self._folds**0.5),
            interval=_bootstrap(ordered),
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
                f"r_precision shows each picture {distractors} captions of other groups, but only {len(others)} stand "
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
    for rows, wanted in zip(torch.split(images, AT_ONCE), torch.split(candidates, AT_ONCE), strict=True):
        cosine = torch.einsum("bd,bkd->bk", rows, text[wanted])
        found.append((cosine[:, :1] > cosine[:, 1:]).all(1))
    return torch.cat(found)


def _bootstrap(hits: Sequence[Sequence[bool]]) -> tuple[float, float]:
    """The 95 % interval of the mean hit over captions drawn again with replacement (Efron 1979)."""
    right, shown = np.array([sum(each) for each in hits]), np.array([len(each) for each in hits])
    drawn = np.random.default_rng(0).integers(len(hits), size=(RESAMPLES, len(hits)))
    low, high = np.percentile(right[drawn].sum(1) / shown[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)


def _digest(seed: int, caption: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{caption}".encode()).digest()
