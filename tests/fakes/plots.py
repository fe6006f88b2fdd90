"""Loss curves are plotted only for tests that look at them: plotting is most of the time of a short run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from t2i.training import trainer
from t2i.training.report import samples
from t2i.training.report.curves import Row

PLOT, IMPORT = samples.plot_curves, trainer.import_plotting


def leave_out() -> None:
    """For the rest of this process, losses.png is a sentence, and matplotlib is not imported."""
    samples.plot_curves, trainer.import_plotting = _sentence, lambda: None


@contextmanager
def drawn() -> Iterator[None]:
    """Within, loss curves are plotted as outside the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "plot_curves", PLOT)
        patch.setattr(trainer, "import_plotting", IMPORT)
        yield


def _sentence(rows: Sequence[Row]) -> bytes:
    return b"Loss curves are plotted for tests that use the fixture `plots`."
