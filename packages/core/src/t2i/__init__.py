"""t2i: a zoo of text-to-image techniques behind one interface.

>>> import t2i
>>> pipe = t2i.pipeline("layers.world64")
>>> out = pipe("a red heart", num_images_per_prompt=4, seed=7)
>>> out[0].save("heart.png")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from t2i.version import __version__ as __version__

if TYPE_CHECKING:
    from t2i.config import Config as Config
    from t2i.create import create_evaluator as create_evaluator
    from t2i.create import create_language_model as create_language_model
    from t2i.create import create_model as create_model
    from t2i.create import create_text_encoder as create_text_encoder
    from t2i.create import index as index
    from t2i.create import load_dataset as load_dataset
    from t2i.data.dataset import CaptionedDataset as CaptionedDataset
    from t2i.data.dataset import Example as Example
    from t2i.drawing.artist import Artist as Artist
    from t2i.drawing.artist import Request as Request
    from t2i.drawing.output import PipelineOutput as PipelineOutput
    from t2i.drawing.picture import Picture as Picture
    from t2i.drawing.pipeline import Pipeline as Pipeline
    from t2i.drawing.pipeline import pipeline as pipeline
    from t2i.errors import T2IError as T2IError
    from t2i.errors import UnreadPromptWarning as UnreadPromptWarning
    from t2i.evaluator import Evaluator as Evaluator
    from t2i.evaluator import Score as Score
    from t2i.generator import Generator as Generator
    from t2i.language import LanguageModel as LanguageModel
    from t2i.noise import Noise as Noise
    from t2i.publishing.pretrained import from_pretrained as from_pretrained
    from t2i.publishing.pretrained import push_to_hub as push_to_hub
    from t2i.publishing.pretrained import save_pretrained as save_pretrained
    from t2i.registry.describe import ModelInfo as ModelInfo
    from t2i.registry.describe import list_models as list_models
    from t2i.registry.describe import model_info as model_info
    from t2i.text import TextEmbedding as TextEmbedding
    from t2i.text import TextEncoder as TextEncoder
    from t2i.training.config import TrainConfig as TrainConfig
    from t2i.training.objective import Batch as Batch
    from t2i.training.objective import Objective as Objective
    from t2i.training.objective import Phase as Phase
    from t2i.training.objective import Player as Player
    from t2i.training.trainer import Trainer as Trainer

_HOME = {
    "Artist": "t2i.drawing.artist",
    "Batch": "t2i.training.objective",
    "CaptionedDataset": "t2i.data.dataset",
    "Config": "t2i.config",
    "Evaluator": "t2i.evaluator",
    "Example": "t2i.data.dataset",
    "Generator": "t2i.generator",
    "LanguageModel": "t2i.language",
    "ModelInfo": "t2i.registry.describe",
    "Noise": "t2i.noise",
    "Objective": "t2i.training.objective",
    "Phase": "t2i.training.objective",
    "Picture": "t2i.drawing.picture",
    "Pipeline": "t2i.drawing.pipeline",
    "PipelineOutput": "t2i.drawing.output",
    "Player": "t2i.training.objective",
    "Request": "t2i.drawing.artist",
    "Score": "t2i.evaluator",
    "T2IError": "t2i.errors",
    "TextEmbedding": "t2i.text",
    "TextEncoder": "t2i.text",
    "TrainConfig": "t2i.training.config",
    "Trainer": "t2i.training.trainer",
    "UnreadPromptWarning": "t2i.errors",
    "create_evaluator": "t2i.create",
    "create_language_model": "t2i.create",
    "create_model": "t2i.create",
    "create_text_encoder": "t2i.create",
    "from_pretrained": "t2i.publishing.pretrained",
    "index": "t2i.create",
    "list_models": "t2i.registry.describe",
    "load_dataset": "t2i.create",
    "model_info": "t2i.registry.describe",
    "pipeline": "t2i.drawing.pipeline",
    "push_to_hub": "t2i.publishing.pretrained",
    "save_pretrained": "t2i.publishing.pretrained",
}

__all__ = [
    *_HOME,
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name's module when the name is first used (PEP 562), so that `import t2i` stays light."""
    if name not in _HOME:
        raise AttributeError(f"module 't2i' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
