"""R-precision: is a picture closer to its own caption than to 99 others (Xu et al. 2018, sec. 4.1)?"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from t2i.errors import InvalidInputError
from t2i.evaluator import Score
from t2i_metrics.caption_evaluator import CaptionedVectors, CaptionEvaluator
from t2i_metrics.caption_ranking import count_others, digest, draw_candidates, first_ranked
from t2i_metrics.image_text import BUNDLED, ImageTextEncoder

RESAMPLES = 1000
NEAR_CHANCE = 0.1  # share of the way from chance to 1: below it, the encoder does not recognise the real pictures


class RPrecision(CaptionEvaluator):
    """The share of pictures whose own caption ranks first, by cosine, among itself and captions of other groups.

    Wrong captions are chosen from all captions seen by a hash of the right one, so every model gets the same questions,
    for any order and distribution over processes. Each caption is encoded once. Choose an encoder that did not train
    the model; the paper's own encoder, DAMSM, was also its training loss.
    """

    def __init__(
        self,
        encoder: str | ImageTextEncoder = BUNDLED,
        *,
        distractors: int = 99,
        fewest_distractors: int | None = None,
        folds: int = 10,
        seed: int = 0,
    ) -> None:
        """
        Args:
            encoder: "judge" (the bundled one), "clip:org/name[@revision]", "clip:folder", or an encoder of your own.
            distractors: wrong captions in addition to the right one.
            fewest_distractors: if there are fewer captions of other groups, use as many as there are, but at least this
                many; the score then carries a caution. By default, fewer are refused.
            folds: parts whose spread gives the standard error.
            seed: of the choice of wrong captions.

        Raises:
            InvalidInputError: a number is too low.
            UnknownNameError, SnapshotError: as `create_image_text_encoder`.
        """
        if distractors < 1 or folds < 2:
            raise InvalidInputError(
                f"r_precision needs distractors of at least 1 and folds of at least 2, got {distractors} and {folds}."
            )
        settings = {"question": question(distractors), "folds": str(folds), "drawn": f"seed {seed}"}
        super().__init__("r_precision", encoder, **settings)
        self._distractors, self._folds, self._seed = distractors, folds, seed
        self._fewest = distractors if fewest_distractors is None else min(fewest_distractors, distractors)
        self.least_pictures = folds

    def compute(self) -> dict[str, Score]:
        """ "r_precision", its floor "r_precision_chance", and "r_precision_ceiling" if real pictures were seen.

        The ceiling is the score of the real pictures, with the same questions. If it is near chance, or below the
        model's score, the model's score carries a caution.

        Raises:
            InvalidInputError: fewer pictures than folds were seen, or too few captions of other groups.
        """
        fake, real = self.fake, self.real
        self.require(
            self.least_pictures, {"generated": len(fake)}, f"Draw at least one for each of {self._folds} folds."
        )
        pool = sorted({*zip(fake.captions, fake.groups, strict=True), *zip(real.captions, real.groups, strict=True)})
        captions, groups = [caption for caption, _ in pool], [group for _, group in pool]
        distractors = max(self._fewest, min(self._distractors, count_others(pool)))
        candidates = draw_candidates(captions, groups, distractors, self._seed)
        place = {pair: position for position, pair in enumerate(pool)}
        text = self.encoder.captions(captions)
        known = {
            "question": question(distractors),
            "captions": f"{len(pool)}, sha256 {hashlib.sha256(chr(0).join(captions).encode()).hexdigest()}",
        }

        def score(seen: CaptionedVectors, count: str) -> Score:
            own = [place[pair] for pair in zip(seen.captions, seen.groups, strict=True)]
            hits = first_ranked(seen.vectors(), text, torch.from_numpy(candidates[own])).tolist()
            return self._score(hits, seen.captions, self.protocol(**known, **{count: len(seen)}))

        chance = Score(1 / (1 + distractors), self.protocol(**known, how="closed form"))
        scores, doubts = {"r_precision": score(fake, "n_fake")}, [self._few(distractors)]
        if len(real) >= self._folds:
            ceiling = scores["r_precision_ceiling"] = score(real, "n_real")
            doubts.append(caution(scores["r_precision"], ceiling, chance, self.encoder))
        scores["r_precision"] = replace(scores["r_precision"], caution=" ".join(filter(None, doubts)))
        return scores | {"r_precision_chance": chance}

    def _few(self, distractors: int) -> str:
        """What to say of fewer wrong captions than were asked for; "" if there are as many."""
        if distractors == self._distractors:
            return ""
        return (
            f"The captions are of few groups, so each picture chooses among {1 + distractors} captions, not "
            f"{1 + self._distractors}: chance is {1 / (1 + distractors):.2g}, and the score is higher than among "
            f"{1 + self._distractors}."
        )

    def _score(self, hits: Sequence[bool], captions: Sequence[str], protocol: Mapping[str, str]) -> Score:
        by_caption: defaultdict[str, list[bool]] = defaultdict(list)
        for caption, hit in zip(captions, hits, strict=True):
            by_caption[caption].append(hit)
        # Sorted, so that batches and processes have no effect; the pictures of one caption stay together.
        ordered = [sorted(by_caption[caption]) for caption in sorted(by_caption, key=lambda c: digest(self._seed, c))]
        folds = [fold.mean() for fold in np.array_split(np.concatenate(ordered), self._folds)]
        return Score(
            float(np.mean(hits)),
            protocol,
            standard_error=float(np.std(folds, ddof=1) / self._folds**0.5),
            interval=_bootstrap(ordered),
        )


def question(distractors: int) -> str:
    """What is asked of each picture, as protocols say it."""
    return f"1 of {1 + distractors}, others of other groups"


def caution(score: Score, ceiling: Score, chance: Score, encoder: ImageTextEncoder) -> str:
    """Why the score of generated pictures should not be trusted, given that of real ones; "" if there is no reason.

    A score counts as above the ceiling if the difference exceeds 1.96 standard errors.
    """
    error = np.hypot(score.standard_error or 0, ceiling.standard_error or 0)
    if ceiling.value < chance.value + NEAR_CHANCE * (1 - chance.value):
        finding = f"The ceiling, {ceiling.value:.3g}, is near chance, {chance.value:.3g}"
    elif score.value - ceiling.value > 1.96 * error:
        finding = f"The ceiling, {ceiling.value:.3g}, is below the model's score, {score.value:.3g}"
    else:
        return ""
    return (
        f"{finding}: the encoder {encoder.name}, trained on {encoder.trained_on}, does not read real pictures well, so "
        f"scores on this data mean little. Train one that does (t2i judge train), or set r_precision.encoder."
    )


def _bootstrap(hits: Sequence[Sequence[bool]]) -> tuple[float, float]:
    """The 95 % interval of the share of hits: a bootstrap over captions (Efron 1979)."""
    right, shown = np.array([sum(each) for each in hits]), np.array([len(each) for each in hits])
    drawn = np.random.default_rng(0).integers(len(hits), size=(RESAMPLES, len(hits)))
    low, high = np.percentile(right[drawn].sum(1) / shown[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)
