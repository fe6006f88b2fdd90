"""Scores in a model card: in its metadata for the Hub, and in a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from t2i.errors import OutputError
from t2i.evaluation.scores import ROWS, Scored
from t2i.files import read_text, write_atomic
from t2i.snapshots.card import SCORES_BEGIN, SCORES_END
from t2i.snapshots.markdown import plain, table

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

MAX_CARD_BYTES = 1_000_000


def write_card_scores(card: Path, rows: Sequence[Scored]) -> None:
    """Put `rows` into a model card: its metadata (the Hub's model-index) and its table.

    A row replaces an older one of the same metric, protocol and options. Scores of other tools stay.

    Raises:
        OutputError: the card cannot be read or written.
    """
    try:
        page = _read(card)
    except ValueError as error:
        raise OutputError(
            f"Scores are written into a model card, but {card} cannot be read as one ({error})."
        ) from None
    results = _results_in(page)
    for row in rows:
        results = [old for old in results if not _same_question(old, row)] + [_result(row)]
    _data(page).model_name = _data(page).model_name or rows[0].model
    write_atomic(card, _with_results(page, results).encode())


def read_card_scores(card: Path) -> list[Scored]:
    """The scores that `write_card_scores` put into a model card; none for other cards."""
    return [row for result in _results(card) if (row := _row(result))]


def with_scores_of(card: Path, text: str, model: str) -> str:
    """The model card `text` of `model`, with the scores in the card at `card`."""
    from huggingface_hub import ModelCard

    results = _results(card)
    if not results:
        return text
    page = ModelCard(text)
    _data(page).model_name = model
    return _with_results(page, results)


def _results(card: Path) -> list[EvalResult]:
    """All results in a card's metadata; none if it cannot be read."""
    try:
        return _results_in(_read(card))
    except ValueError:
        return []


def _read(card: Path) -> ModelCard:
    """A card, which may come from anybody.

    Raises:
        ValueError: it cannot be read, or is no card.
    """
    from huggingface_hub import ModelCard

    try:
        return ModelCard(read_text(card, MAX_CARD_BYTES))
    except Exception as error:  # the library raises anything for an unexpected header, such as RecursionError
        raise ValueError(str(error) or type(error).__name__) from None


def _results_in(page: ModelCard) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    results = _data(page).eval_results
    return [result for result in results if isinstance(result, EvalResult)] if isinstance(results, list) else []


def _data(page: ModelCard) -> ModelCardData:
    return cast("ModelCardData", page.data)  # typed as any card's


def _row(result: EvalResult) -> Scored | None:
    """The score that a result holds; None if another tool wrote it."""
    try:
        return ROWS.validate_python(result.metric_args)
    except ValidationError:
        return None


def _same_question(result: EvalResult, row: Scored) -> bool:
    old = _row(result)
    return old is not None and (old.metric, old.score.protocol, old.options) == (
        *(row.metric, row.score.protocol, row.options),
    )


def _result(row: Scored) -> EvalResult:
    from huggingface_hub import EvalResult

    data = row.score.protocol.get("data", "unknown")
    kind, _, split = data.partition(":")
    return EvalResult(
        task_type="text-to-image",
        dataset_type=kind,
        dataset_name=data,
        dataset_split=split or None,
        metric_type=row.metric,
        metric_name=row.metric,
        metric_value=row.score.value,
        metric_args=row.to_dict(),
    )


def _with_results(page: ModelCard, results: Sequence[EvalResult]) -> str:
    """The card with exactly these scores; its other sections stay as they are."""
    ordered = sorted(results, key=lambda result: str(result.dataset_name))  # the Hub's format groups them so
    _data(page).eval_results = ordered
    before, _, rest = page.text.partition(SCORES_BEGIN)
    after = rest.partition(SCORES_END)[2].strip()
    page.text = "\n\n".join(part for part in (before.rstrip(), _section(ordered), after) if part) + "\n"
    return str(page)


def _section(results: Sequence[EvalResult]) -> str:
    listed = table(["score", "value", "data", "options", "made"], [_cells(result) for result in results])
    cautions = "".join(f"{plain(line)}\n\n" for result in results if (line := _caution(result)))
    protocols = "Each one's protocol is in the metadata above."
    return f"{SCORES_BEGIN}\n## Scores\n\n{listed}\n\n{cautions}{protocols}\n{SCORES_END}"


def _caution(result: EvalResult) -> str:
    """The caution of a score with the score's name and data; "" if it has none."""
    row = _row(result)
    return f"{row.metric} on {result.dataset_name}: {row.score.caution}" if row and row.score.caution else ""


def _cells(result: EvalResult) -> list[str]:
    data, row = str(result.dataset_name), _row(result)
    if row is None:
        return [str(result.metric_name or result.metric_type), str(result.metric_value), data, "", ""]
    options = ", ".join(f"{name} {value}" for name, value in row.options.items())
    return [row.metric, str(row.score), data, options, row.time[:10]]
