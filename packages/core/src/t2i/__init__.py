"""t2i: a zoo of text-to-image techniques behind one interface.

>>> import t2i
>>> pipe = t2i.pipeline("stackgan-v2.openmoji64")
>>> out = pipe("a red heart", num_images_per_prompt=4, seed=7)
>>> out.images, out.seeds
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from t2i.config import Config as Config
    from t2i.data.dataset import CaptionedDataset as CaptionedDataset
    from t2i.data.dataset import Example as Example
    from t2i.errors import T2IError as T2IError
    from t2i.evaluator import Evaluator as Evaluator
    from t2i.evaluator import Score as Score
    from t2i.generator import Generator as Generator
    from t2i.generator import Noise as Noise
    from t2i.pipelines import Picture as Picture
    from t2i.pipelines import Pipeline as Pipeline
    from t2i.pipelines import PipelineOutput as PipelineOutput
    from t2i.pipelines import pipeline as pipeline
    from t2i.registry.models import ModelInfo as ModelInfo
    from t2i.registry.models import create_evaluator as create_evaluator
    from t2i.registry.models import create_model as create_model
    from t2i.registry.models import create_text_encoder as create_text_encoder
    from t2i.registry.models import list_models as list_models
    from t2i.registry.models import load_dataset as load_dataset
    from t2i.registry.models import model_info as model_info
    from t2i.text import TextEmbedding as TextEmbedding
    from t2i.text import TextEncoder as TextEncoder
    from t2i.training.config import TrainConfig as TrainConfig
    from t2i.training.objective import Batch as Batch
    from t2i.training.objective import Objective as Objective
    from t2i.training.objective import Phase as Phase
    from t2i.training.objective import Player as Player
    from t2i.training.trainer import Trainer as Trainer

__version__ = "0.1.0"

_HOME = {
    "Batch": "t2i.training.objective",
    "CaptionedDataset": "t2i.data.dataset",
    "Config": "t2i.config",
    "Evaluator": "t2i.evaluator",
    "Example": "t2i.data.dataset",
    "Generator": "t2i.generator",
    "ModelInfo": "t2i.registry.models",
    "Noise": "t2i.generator",
    "Objective": "t2i.training.objective",
    "Phase": "t2i.training.objective",
    "Picture": "t2i.pipelines",
    "Pipeline": "t2i.pipelines",
    "PipelineOutput": "t2i.pipelines",
    "Player": "t2i.training.objective",
    "Score": "t2i.evaluator",
    "T2IError": "t2i.errors",
    "TextEmbedding": "t2i.text",
    "TextEncoder": "t2i.text",
    "TrainConfig": "t2i.training.config",
    "Trainer": "t2i.training.trainer",
    "create_evaluator": "t2i.registry.models",
    "create_model": "t2i.registry.models",
    "create_text_encoder": "t2i.registry.models",
    "list_models": "t2i.registry.models",
    "load_dataset": "t2i.registry.models",
    "model_info": "t2i.registry.models",
    "pipeline": "t2i.pipelines",
}

__all__ = [
    *_HOME,
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name's home when it is first used (PEP 562), so that `import t2i` stays light."""
    if name not in _HOME:
        raise AttributeError(f"module 't2i' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
