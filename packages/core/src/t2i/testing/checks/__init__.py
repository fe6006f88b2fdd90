"""Every promise of every contract, as plain functions; pytest is not needed here.

Each role has its own list: `generators.GENERATOR_CHECKS`, `objectives.OBJECTIVE_CHECKS`,
`text_encoders.TEXT_ENCODER_CHECKS`, `evaluators.EVALUATOR_CHECKS`, `datasets.DATASET_CHECKS`,
`artists.ARTIST_CHECKS`, `engines.ENGINE_CHECKS`, `language_models.LANGUAGE_MODEL_CHECKS`, `plugins.PLUGIN_CHECKS` and
`weights.WEIGHTS_CHECKS`.
"""

from t2i.testing.checks.check import BoundCheck, Check, CheckFailed, Checks, Outcome, bind, outcome, outcomes
from t2i.testing.checks.probes import ROUNDING, captions, no_global_randomness, same

__all__ = [
    "ROUNDING",
    "BoundCheck",
    "Check",
    "CheckFailed",
    "Checks",
    "Outcome",
    "bind",
    "captions",
    "no_global_randomness",
    "outcome",
    "outcomes",
    "same",
]
