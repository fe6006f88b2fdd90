"""Every error a user of t2i can cause, in one tree.

Each message states the rule, what was received, and how to fix it. Quoted text may come from an untrusted file, so its
control characters are made visible and its length is bounded::

    T2IError
    ├── UnknownNameError        nothing has this name: a model, dataset, split, evaluator, recipe, ...
    ├── PluginError             a plugin cannot be used
    │   ├── PluginBrokenError         it raised an error on import or when asked for its specs
    │   ├── PluginIncompatibleError   it was written for another plugin API
    │   ├── PluginDisabledError       T2I_DISABLE_PLUGINS names it
    │   └── NameClashError            two distributions declare the same name
    ├── InvalidInputError       a prompt, number or option outside its range
    │   └── InvalidConfigError        a config names an unknown field, or a value does not fit
    ├── SnapshotError           a model's files cannot be used
    │   ├── IntegrityError            they are not the files that were published
    │   ├── OfflineError              they are not on this machine and cannot be downloaded
    │   └── EncoderMismatchError      the text encoder is not the one the model was trained with
    ├── DataError               a dataset cannot be read
    ├── LanguageModelError      a language model does not answer, or not in the form it was asked for
    ├── TrainingError           a run cannot start or continue
    │   ├── CheckpointError           there is no complete checkpoint
    │   └── DivergedError             a loss or a weight stopped being a finite number
    ├── EngineError             an engine cannot start, or loses its workers again and again
    └── OutputError             a result cannot be written

One problem does not stop the work, so it is a Python warning: UnreadPromptWarning.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from t2i.display import printable


class T2IError(Exception):
    """Base of all errors of t2i; the command line prints its message and exits with code 2."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message, keep="\n\t"))


class UnknownNameError(T2IError):
    """Nothing has this name: a model, tag, dataset, split, text encoder, evaluator, engine, recipe and so on."""


class PluginError(T2IError):
    """A plugin cannot be used."""


class PluginBrokenError(PluginError):
    """A plugin raised an error on import or when asked for its specs."""


class PluginIncompatibleError(PluginError):
    """A plugin was written for another plugin API."""


class PluginDisabledError(PluginError):
    """The environment variable T2I_DISABLE_PLUGINS names this plugin."""


class NameClashError(PluginError):
    """Two distributions declare the same name."""


class InvalidInputError(T2IError):
    """A prompt, number or option outside its range."""


class InvalidConfigError(InvalidInputError):
    """A config names an unknown field, or a value does not fit."""


class SnapshotError(T2IError):
    """A model's files cannot be used."""


class IntegrityError(SnapshotError):
    """The files are not the ones that were published."""


class OfflineError(SnapshotError):
    """The files are not on this machine and cannot be downloaded."""


class EncoderMismatchError(SnapshotError):
    """The text encoder is not the one the model was trained with."""


class DataError(T2IError):
    """A dataset cannot be read."""


class LanguageModelError(T2IError):
    """A language model does not answer, or its answer has the wrong form."""


class TrainingError(T2IError):
    """A training run cannot start or continue."""


class CheckpointError(TrainingError):
    """There is no complete checkpoint."""


class DivergedError(TrainingError):
    """A loss or a weight stopped being a finite number."""


class EngineError(T2IError):
    """An engine cannot start, or loses its workers again and again."""


class OutputError(T2IError):
    """A result cannot be written."""


class UnreadPromptWarning(UserWarning):
    """A text encoder cannot read a part of a prompt, or all of it; the picture is drawn without that part."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'stackgan'?"`, or an empty string if no known name is similar to `name`."""
    near = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
