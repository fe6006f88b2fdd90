"""The public names and their signatures are locked, because others rely on them."""

from __future__ import annotations

import importlib.resources
import inspect
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import t2i
from t2i.drawing.opening import Memory, agreed

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float
    from torch import Tensor

    from t2i import (
        Artist,
        CaptionedDataset,
        Evaluator,
        Generator,
        LanguageModel,
        ModelInfo,
        Noise,
        PipelineOutput,
        Score,
        TextEmbedding,
        TextEncoder,
    )
    from t2i.generator import OptionsT

NAMES = {
    "Artist", "Batch", "CaptionedDataset", "Config", "Evaluator", "Example", "Generator", "LanguageModel",
    "ModelInfo", "Noise", "Objective", "Phase", "Picture", "Pipeline", "PipelineOutput", "Player", "Request",
    "Score", "T2IError", "TextEmbedding", "TextEncoder", "TrainConfig", "Trainer", "UnreadPromptWarning",
    "__version__",
    "create_evaluator", "create_language_model", "create_model", "create_text_encoder", "from_pretrained", "index",
    "list_models", "load_dataset", "model_info", "pipeline", "push_to_hub", "save_pretrained",
}  # fmt: skip


class Functions:
    """The public functions."""

    def list_models(
        filter: str = "",  # noqa: A002
        *,
        pretrained: bool = False,
        kind: str | None = None,
        dataset: str | None = None,
        license: str | None = None,  # noqa: A002
        installed: bool = True,
    ) -> list[str]: ...

    def model_info(name: str) -> ModelInfo: ...

    def create_model(name: str, pretrained: bool = False, **config: Any) -> Generator: ...

    def create_text_encoder(name: str = "minilm") -> TextEncoder: ...

    def create_language_model(name: str = "smollm2") -> LanguageModel: ...

    def create_evaluator(name: str, **settings: Any) -> Evaluator: ...

    def index(where: str | Path | None = None) -> Any: ...

    def load_dataset(
        name: str, split: str | None = None, *, caption_column: str = "", image_column: str = ""
    ) -> CaptionedDataset: ...

    def from_pretrained(name: str, *, device: torch.device | str = "cpu") -> Generator: ...

    def save_pretrained(model: Generator, folder: str | Path, **facts: Any) -> Path: ...

    def push_to_hub(
        model: Generator,
        repo: str,
        *,
        private: bool = False,
        create_pr: bool = False,
        revision: str | None = None,
        **facts: Any,
    ) -> str: ...

    def pipeline(
        model: str = "layers.world64",
        *,
        device: str | None = None,
        record: bool = False,
        memory: Memory = "auto",
        adapters: Sequence[str] = (),
        accept_new: bool = False,
        confirm: Callable[[str], bool] = agreed,
        encoders: MutableMapping[str, TextEncoder] | None = None,
    ) -> Artist: ...


class Methods:
    """Methods of public classes, named Class__method."""

    def Artist____call__(
        self,
        prompts: str | Sequence[str],
        *,
        num_images_per_prompt: int = 1,
        seed: int | None = None,
        batch_size: int = 64,
        **options: Any,
    ) -> PipelineOutput: ...

    def Generator__generate(self, text: TextEmbedding, noise: Noise, options: OptionsT) -> Float[Tensor, "b 3 h w"]: ...

    def Generator__options(self, /, **values: Any) -> OptionsT: ...

    def TextEncoder__encode(self, captions: Sequence[str]) -> TextEmbedding: ...

    def Evaluator__update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None: ...

    def Evaluator__compute(self) -> dict[str, Score]: ...

    def Evaluator__state(self) -> dict[str, Tensor]: ...

    def Evaluator__merge(self, state: Mapping[str, Tensor]) -> None: ...

    def Evaluator__reset(self) -> None: ...


def written(namespace: type) -> dict[str, inspect.Signature]:
    functions = {name: value for name, value in vars(namespace).items() if inspect.isfunction(value)}
    return {name: inspect.signature(function) for name, function in functions.items()}


def test_the_public_names_are_exactly_these() -> None:
    assert set(t2i.__all__) == NAMES
    assert len(t2i.__all__) == len(NAMES)
    assert dir(t2i) == sorted(NAMES)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_name_can_be_imported_and_is_documented(name: str) -> None:
    value = getattr(t2i, name)
    if name != "__version__":
        assert value.__name__ == name
        assert inspect.getdoc(value)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = t2i.no_such_name


@pytest.mark.parametrize(("name", "expected"), written(Functions).items())
def test_a_function_has_its_locked_signature(name: str, expected: inspect.Signature) -> None:
    assert inspect.signature(getattr(t2i, name)) == expected


@pytest.mark.parametrize(("name", "expected"), written(Methods).items())
def test_a_method_has_its_locked_signature(name: str, expected: inspect.Signature) -> None:
    owner, method = name.split("__", 1)
    assert inspect.signature(getattr(getattr(t2i, owner), method)) == expected


def test_the_package_is_typed_and_has_a_version() -> None:
    assert (importlib.resources.files(t2i) / "py.typed").is_file()
    assert t2i.__version__ == version("t2i-core")


def test_static_and_lazy_names_are_the_same() -> None:
    """A type checker sees the names under TYPE_CHECKING, and a running program those of __getattr__."""
    source = Path(t2i.__file__).read_text().partition("if TYPE_CHECKING:")[2].partition("\n_HOME")[0]
    static = {line.split(" as ")[1].strip() for line in source.splitlines() if " as " in line}
    assert static | {"__version__"} == NAMES


def test_importing_everything_by_star_gives_the_public_names() -> None:
    namespace: dict[str, object] = {}
    exec("from t2i import *", namespace)
    assert namespace.keys() - {"__builtins__"} == NAMES
