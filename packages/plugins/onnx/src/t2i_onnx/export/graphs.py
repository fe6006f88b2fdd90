"""Networks as ONNX graphs: any Generator and any text encoder with a `graph`, without code for single techniques."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from t2i.config import Config
from t2i.display import brief
from t2i.errors import InvalidInputError
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.text_graph import TextGraph
from t2i_onnx.folder import Draw

OPSET = 18  # the one that torch's exporter writes without conversion
EXAMPLES, WORDS = 2, 5  # captions, and words of each, with which a network is traced; the graph takes any number


class RecordedNoise(Noise):
    """Noise that remembers what was drawn.

    Attributes:
        draws: kind and shape of each draw, in order.
        numbers: what was drawn, [b, *shape] each.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        super().__init__(seeds)
        self.draws: list[Draw] = []
        self.numbers: list[Tensor] = []

    def normal(self, *shape: int) -> Float[Tensor, "b ..."]:
        return self._recorded("normal", super().normal(*shape), shape)

    def uniform(self, *shape: int) -> Float[Tensor, "b ..."]:
        return self._recorded("uniform", super().uniform(*shape), shape)

    def _recorded(self, kind: str, numbers: Tensor, shape: tuple[int, ...]) -> Tensor:
        self.draws.append(Draw(kind, shape))
        self.numbers.append(numbers)
        return numbers


class GivenNoise(Noise):
    """Numbers that were drawn elsewhere, in the order in which they are asked for."""

    def __init__(self, numbers: Sequence[Tensor]) -> None:
        super().__init__([])
        self._left = iter(numbers)

    def normal(self, *shape: int) -> Float[Tensor, "b ..."]:
        return next(self._left)

    def uniform(self, *shape: int) -> Float[Tensor, "b ..."]:
        return next(self._left)


class DrawGraph(nn.Module):
    """A generator as a function of tensors alone; the options are part of it."""

    def __init__(self, generator: Generator, options: Config) -> None:
        super().__init__()
        self.generator, self.options = generator, options

    def forward(
        self, sentence: Float[Tensor, "b d"], words: Float[Tensor, "b l d"], mask: Bool[Tensor, "b l"], *noise: Tensor
    ) -> Float[Tensor, "b 3 h w"]:
        return self.generator.generate(TextEmbedding(sentence, words, mask), GivenNoise(noise), self.options)


def generator_graph(generator: Generator, options: Config) -> tuple[bytes, list[Draw]]:
    """The generator as an ONNX file, and the numbers that it takes from each picture's stream.

    Inputs: `sentence`, `words`, `mask`, and `noise_0`, `noise_1`, ... for each draw; output: `images`.

    Raises:
        InvalidInputError: it cannot be one graph, with the reason.
    """
    if generator.not_one_graph:
        raise InvalidInputError(f"{generator.technique} cannot be exported. {generator.not_one_graph}")
    words = torch.randn(EXAMPLES, WORDS, generator.text_dim, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(EXAMPLES, WORDS, dtype=torch.bool)
    noise = RecordedNoise(range(EXAMPLES))
    with torch.inference_mode():
        generator.generate(TextEmbedding(words.mean(1), words, mask), noise, options)
    names = [f"noise_{number}" for number in range(len(noise.draws))]
    b = torch.export.Dim.DYNAMIC
    content = to_onnx(
        DrawGraph(generator, options),
        {"sentence": words.mean(1), "words": words, "mask": mask, **dict(zip(names, noise.numbers, strict=True))},
        ["images"],
        ({0: b}, {0: b, 1: b}, {0: b, 1: b}, tuple({0: b} for _ in names)),
        generator.technique,
    )
    return content, noise.draws


def text_graph(graph: TextGraph, name: str) -> bytes:
    """The text encoder called `name` as an ONNX file. Input: `ids`; outputs: `sentence` and `words`.

    Raises:
        InvalidInputError: torch's exporter cannot trace it.
    """
    b = torch.export.Dim.DYNAMIC
    ids = torch.arange(EXAMPLES * WORDS).view(EXAMPLES, WORDS)
    return to_onnx(graph.network, {"ids": ids}, ["sentence", "words"], ({0: b, 1: b},), f"the text encoder {name}")


def to_onnx(
    network: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], sizes: tuple[Any, ...], what: str
) -> bytes:
    """A network as one ONNX file with its weights inside, and nothing of this machine.

    Args:
        inputs: examples, by name.
        sizes: which axes may have any size, as torch.export's dynamic_shapes.
        what: names the network in errors.

    Raises:
        InvalidInputError: torch's exporter cannot trace it.
    """
    try:
        with quiet(), torch.inference_mode():
            program = torch.onnx.export(
                network.eval(),
                tuple(inputs.values()),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=sizes,
                external_data=False,
                verbose=False,
            )
        assert program is not None
        model = program.model_proto
        _anonymise(model)
        return bytes(model.SerializeToString(deterministic=True))
    except Exception as error:  # the exporter's errors have no common base
        cause = error.__cause__ or error
        raise InvalidInputError(
            f"{what} cannot be exported: torch's ONNX exporter says {type(cause).__name__}: {brief(_last(cause))}"
        ) from error


def _last(error: BaseException) -> Exception:
    """The innermost cause, whose message is about the network and not about the exporter."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error if isinstance(error, Exception) else Exception(str(error))


def _anonymise(model: Any) -> None:
    """Remove stack traces with this machine's paths, and other comments."""
    parts = [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info]
    parts += [*model.graph.initializer, *model.functions, *(node for each in model.functions for node in each.node)]
    for part in parts:
        part.ClearField("doc_string")
        del part.metadata_props[:]
    del model.graph.value_info[:]


@contextmanager
def quiet() -> Iterator[None]:
    """Without a library's messages and warnings, which are about its own code."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
