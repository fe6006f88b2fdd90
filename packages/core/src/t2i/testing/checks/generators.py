"""What every Generator promises."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from t2i.config import Config, parse_config
from t2i.drawing.abilities import Attends
from t2i.errors import InvalidConfigError
from t2i.generator import Generator
from t2i.hub.layout import WEIGHTS
from t2i.noise import Noise
from t2i.publishing.pretrained import save_pretrained
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.snapshots.golden import golden_error
from t2i.snapshots.load import load_generator
from t2i.snapshots.record import Snapshot, read_config
from t2i.snapshots.resolve import resolve
from t2i.testing.checks.check import Checks
from t2i.testing.checks.probes import (
    ROUNDING,
    captions,
    captions_of_lengths,
    no_global_randomness,
    same,
    undocumented,
    watched,
)
from t2i.text import TextEmbedding

GENERATOR_CHECKS: Checks[Generator] = Checks()


def draw(generator: Generator, text: TextEmbedding, seeds: Sequence[int]) -> Tensor:
    """The pictures of `text` with the default options, drawn as a pipeline draws them."""
    generator.eval()
    with torch.inference_mode():
        return generator.generate(text, Noise(seeds), generator.options())


@GENERATOR_CHECKS.add(
    why="everything after the generator (grids, evaluators, files) relies on one image convention",
    remedy="end in tanh or clamp(-1, 1), in float32, at the config's resolution, on the noise's device",
)
def pictures_are_rgb_in_range(generator: Generator) -> None:
    for count in (1, 3):
        images = draw(generator, captions(count, generator.text_dim), range(count))
        side = generator.resolution
        assert images.dtype == torch.float32, f"pictures must be float32, got {images.dtype}"
        assert images.shape == (count, 3, side, side), (
            f"{count} captions at resolution {side} must give [{count}, 3, {side}, {side}], got {list(images.shape)}"
        )
        assert images.device == torch.device("cpu"), (
            f"text and noise are on the CPU, but pictures are on {images.device}"
        )
        assert images.isfinite().all(), "a pixel is not a finite number"
        assert images.abs().max() <= 1, (
            f"pixels must be in [-1, 1], but the largest absolute value is {images.abs().max():.3g}"
        )


@GENERATOR_CHECKS.add(
    why="the Trainer and the pipeline match text encoder and generator by it",
    remedy="return the input width of the first layer on the text",
)
def text_dim_is_correct(generator: Generator) -> None:
    try:
        draw(generator, captions(2, generator.text_dim), range(2))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise AssertionError(
            f"text_dim is {generator.text_dim}, but text of that width cannot be drawn ({reason})"
        ) from None
    try:
        draw(generator, captions(2, generator.text_dim + 1), range(2))
    except Exception:  # an untrusted network may raise anything
        return
    raise AssertionError(
        f"text_dim is {generator.text_dim}, but text of width {generator.text_dim + 1} was accepted too"
    )


@GENERATOR_CHECKS.add(
    why="captions can have any length, and encoders keep as many words as they can",
    remedy="pool or attend under the mask; if the network takes fewer words, use the first ones",
)
def captions_of_one_word_and_of_500_are_drawn(generator: Generator) -> None:
    text = captions_of_lengths([1, 500], generator.text_dim)
    for name, part in (("one word", text[:1]), ("one word next to one of 500", text), ("500 words", text[1:])):
        images = draw(generator, TextEmbedding(part.sentence, part.words, part.mask), range(len(part)))
        assert images.isfinite().all(), f"a caption of {name} gives pixels that are not finite numbers"


@GENERATOR_CHECKS.add(
    why="a seed identifies a picture, regardless of its place in a batch",
    remedy="draw random numbers only from noise.normal and noise.uniform, and ignore positions in the batch",
)
def a_picture_does_not_depend_on_its_place_in_the_batch(generator: Generator) -> None:
    text, order = captions(8, generator.text_dim), torch.tensor([3, 7, 0, 5, 1, 6, 2, 4])
    whole = draw(generator, text, range(8))
    shuffled = draw(generator, text[order], order.tolist())
    assert same(shuffled, whole[order], ROUNDING), "a picture depends on its place in the batch"
    assert same(shuffled, whole[order]), (
        "a picture's bits depend on its place in the batch, though its size is a multiple of 4"
    )


@GENERATOR_CHECKS.add(
    why="a picture drawn alone must equal the one drawn in a batch of 64, or its provenance is wrong",
    remedy="no statistics over the batch in eval mode: batch norm with running statistics, or group or layer norm",
)
def a_picture_does_not_depend_on_its_neighbours(generator: Generator) -> None:
    text = captions(8, generator.text_dim)
    whole = draw(generator, text, range(8))
    for count in (4, 3, 1):
        part = draw(generator, text[:count], range(count))
        assert same(part, whole[:count], ROUNDING), (
            f"{count} pictures alone differ from the same pictures in a batch of 8"
        )
    assert _moved_alike(generator, text), "a picture's bits depend on its place among four, or on its neighbours"


def _moved_alike(generator: Generator, text: TextEmbedding) -> bool:
    """Whether three of four pictures are the same, bit for bit, at other places and beside another one."""
    four, moved = draw(generator, text[:4], range(4)), draw(generator, text[[7, 2, 0, 1]], [7, 2, 0, 1])
    return same(moved[1:], four[[2, 0, 1]])


@GENERATOR_CHECKS.add(
    why="captions are padded to the longest in the batch, which must not change their pictures",
    remedy="mask attention and pooling with text.mask; infer nothing from zeros or from the number of columns",
)
def padding_words_change_nothing(generator: Generator) -> None:
    text = captions(4, generator.text_dim)
    more = TextEmbedding(
        text.sentence,
        torch.nn.functional.pad(text.words, (0, 0, 0, 3)),
        torch.nn.functional.pad(text.mask, (0, 3), value=False),
    )
    plain, padded = (draw(generator, each, range(4)) for each in (text, more))
    assert same(plain, padded, ROUNDING), "masked words change the picture"


@GENERATOR_CHECKS.add(
    why="the same caption and seed must always give the same picture, in any program",
    remedy="draw only from `noise`, never from torch.rand or numpy.random, and seed nothing",
)
def noise_is_the_only_randomness(generator: Generator) -> None:
    text = captions(4, generator.text_dim)
    with no_global_randomness("generate"):
        first = draw(generator, text, range(4))
    torch.manual_seed(int(torch.initial_seed()) ^ 1)
    assert same(first, draw(generator, text, range(4))), "the same text and noise give another picture"


@GENERATOR_CHECKS.add(
    why="a picture must not depend on what was drawn before it",
    remedy="keep no counters, caches or running statistics in buffers while drawing",
)
def drawing_leaves_the_generator_as_it_was(generator: Generator) -> None:
    generator.eval()
    before = copy.deepcopy(generator.state_dict())
    draw(generator, captions(4, generator.text_dim), range(4))
    changed = [name for name, tensor in generator.state_dict().items() if not torch.equal(tensor, before[name])]
    assert not changed, f"drawing changes {', '.join(changed)}"


@GENERATOR_CHECKS.add(
    why="a model is its config and weights; any other file would be missing on another machine",
    remedy="move the data into the weights or the package, and read it in __init__",
)
def opens_no_file_and_no_socket(generator: Generator) -> None:
    text = captions(4, generator.text_dim)
    draw(generator, text, range(4))  # torch imports parts of itself when they are first used
    with watched() as touched:
        draw(generator, text, range(4))
    opened = ", ".join(touched.everything)
    assert not opened, f"generate must open no file and no socket, but opened {opened}"


@GENERATOR_CHECKS.add(
    why="options are recorded in a picture's provenance and offered on the command line",
    remedy="take options as one argument, and write each option and its default once: as a field of options_type",
)
def options_are_declared(generator: Generator) -> None:
    kind = generator.options_type
    _refuses_unknown(kind, "options")
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    assert not needed, f"every option must have a default, but {', '.join(needed)} of {kind.__name__} has none"
    for method in (generator.generate, generator.stages):
        parameters = inspect.signature(method).parameters.values()
        plain = [
            each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD and each.default is each.empty
        ]
        assert len(plain) == len(parameters) and plain == ["text", "noise", "options"], (
            f"{method.__name__} must take (text, noise, options), but takes {inspect.signature(method)}"
        )
    json = generator.options().model_dump_json()
    assert kind.model_validate_json(json) == generator.options(), "the options do not survive JSON"


@GENERATOR_CHECKS.add(
    why="people look at the stages to see a picture sharpen, and the last one must be the picture",
    remedy="let generate return the last of stages, list each stage's side in stage_resolutions, and count them in "
    "stage_count",
)
def stages_end_in_the_picture(generator: Generator) -> None:
    text = captions(4, generator.text_dim)
    generator.eval()
    with torch.inference_mode():
        stages = list(generator.stages(text, Noise(range(4)), generator.options()))
    count = generator.stage_count(generator.options())
    assert len(stages) == count, f"stages gives {len(stages)}, but stage_count says {count}"
    sides = tuple(stage.shape[-1] for stage in stages)
    assert sides[:-1] == generator.stage_resolutions[:-1], (
        f"stages have {sides} px, but stage_resolutions are {generator.stage_resolutions}"
    )
    assert same(stages[-1], draw(generator, text, range(4)), ROUNDING), "the last stage is not what generate draws"


@GENERATOR_CHECKS.add(
    why="a pipeline draws with the copy from for_drawing, but the generator is what is saved",
    remedy="fold or fuse a deep copy, and change nothing of the generator itself",
)
def the_drawing_twin_draws_the_same(generator: Generator) -> None:
    text, before = captions(8, generator.text_dim), copy.deepcopy(generator.eval().state_dict())
    twin = generator.for_drawing()
    changed = [name for name, tensor in generator.state_dict().items() if not torch.equal(tensor, before[name])]
    assert not changed, f"for_drawing changes {', '.join(changed)}"
    if twin is generator:
        return
    whole = draw(twin, text, range(8))
    assert same(whole, draw(generator, text, range(8)), ROUNDING), "the copy for drawing draws different pictures"
    assert _moved_alike(twin, text), (
        "the bits of the copy's pictures depend on their place among four, or on neighbours"
    )


@GENERATOR_CHECKS.add(
    why="a snapshot rebuilds the network only from config.json",
    remedy="keep every argument that shapes the network in the config, and keep the config unchanged",
)
def config_rebuilds_it(generator: Generator) -> None:
    kind, config = generator.config_type, generator.config
    assert type(config) is kind, f"config is a {type(config).__name__}, but config_type is {kind.__name__}"
    assert kind.model_validate_json(config.model_dump_json()) == config, "the config does not survive JSON"
    _refuses_unknown(kind, "config")
    again = _rebuilt(generator).state_dict()
    shapes = {name: tensor.shape for name, tensor in generator.state_dict().items()}
    assert {name: tensor.shape for name, tensor in again.items()} == shapes, "the config builds another network"


@GENERATOR_CHECKS.add(
    why="a published model must draw what its author saw",
    remedy="register everything that drawing uses as a parameter or a persistent buffer",
)
def saved_and_loaded_it_draws_the_same_bits(generator: Generator) -> None:
    with _saved(generator) as folder:
        loaded = _rebuilt(generator).eval().requires_grad_(False)
        loaded.load_state_dict(load_file(folder / WEIGHTS))
        text = captions(4, generator.text_dim)
        assert same(draw(loaded, text, range(4)), draw(generator, text, range(4))), (
            "loaded weights draw different pictures"
        )


@GENERATOR_CHECKS.add(
    why="`t2i info --verify` uses golden pictures to detect a damaged or differently computed model",
    remedy="as for saving and loading: everything that drawing uses must be in the state dict",
)
def golden_pictures_are_drawn_again(generator: Generator) -> None:
    with _saved(generator) as folder:
        loaded = _rebuilt(generator).eval().requires_grad_(False)
        loaded.load_state_dict(load_file(folder / WEIGHTS))
        error = golden_error(Snapshot("", folder, read_config(folder)), loaded)
        assert error == 0, f"the loaded generator differs from its golden pictures by {error:.3g}"


@GENERATOR_CHECKS.add(
    why="a key that is silently missing or ignored gives a model that silently draws worse",
    remedy="keep load_state_dict strict",
)
def weights_load_key_by_key(generator: Generator) -> None:
    whole = dict(generator.state_dict())
    first = next(iter(whole))
    lacking = {name: tensor for name, tensor in whole.items() if name != first}
    extended = {**whole, "no.such.weight": torch.zeros(1)}
    for weights, flaw in ((lacking, f"lack {first!r}"), (extended, "hold 'no.such.weight' too")):
        try:
            _rebuilt(generator).load_state_dict(weights)
        except Exception:  # torch raises RuntimeError; an untrusted loader may raise anything
            refused = True
        else:
            refused = False
        assert refused, f"weights that {flaw} are loaded without an error"


@GENERATOR_CHECKS.add(
    why="users choose where a model is saved and do not expect files elsewhere",
    remedy="write no files in state_dict or its hooks; the core writes the snapshot",
)
def saving_writes_in_the_given_folder_alone(generator: Generator) -> None:
    with _saved(generator):  # triggers imports on first use
        pass
    with TemporaryDirectory() as scratch, watched() as touched:
        save_pretrained(generator, Path(scratch) / "snapshot")
    elsewhere = [path for path in touched.written if not path.startswith(scratch)]
    assert not elsewhere, f"saving must write only in the given folder, but also wrote {', '.join(elsewhere)}"


@GENERATOR_CHECKS.add(
    why="the moving average that is sampled and published starts as a deep copy",
    remedy="keep no reference to a module or tensor outside of the module tree",
)
def a_copy_draws_the_same_bits(generator: Generator) -> None:
    text = captions(4, generator.text_dim)
    copied = copy.deepcopy(generator)
    assert same(draw(copied, text, range(4)), draw(generator, text, range(4))), "a deep copy draws different pictures"


@GENERATOR_CHECKS.add(
    why="a snapshot names its technique, and that name must lead back to this class",
    remedy="declare it in plugin.py under `technique`, with this class and config as targets, and install the plugin",
)
def is_registered_under_its_name(generator: Generator) -> None:
    name, kind = generator.technique, type(generator)
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name), f"a technique's name must be lower-case, got {name!r}"
    spec, _ = registry().get(ModelSpec, name)
    assert load_target(spec.target) is kind, f"{name!r} is registered as {spec.target}, not {kind.__qualname__}"
    assert load_target(spec.config) is generator.config_type, f"{name!r} is registered with another config"
    with _saved(generator) as folder:
        assert type(load_generator(resolve(f"local-dir:{folder}"))) is kind


@GENERATOR_CHECKS.add(
    why="people read attention maps to see which word affects which place",
    remedy="return generate's pictures, and weights that are a softmax over the unmasked words",
)
def attention_is_shared_among_the_words(generator: Generator) -> None:
    if not isinstance(generator, Attends):
        return
    text, noise = captions(3, generator.text_dim), Noise(range(3))
    generator.eval()
    with torch.inference_mode():
        attended = generator.attend(text, noise, generator.options())
    maps, length = attended.maps, text.mask.shape[1]
    assert same(attended.images, draw(generator, text, range(3)), ROUNDING), (
        "attend and generate draw different pictures"
    )
    assert maps.ndim == 4 and list(maps.shape[:2]) == [3, length], (
        f"3 captions of up to {length} words must have maps [3, {length}, y, x], got {list(maps.shape)}"
    )
    assert maps.min() >= 0 and same(maps.sum(1), torch.ones_like(maps[:, 0]), ROUNDING), (
        "the words' weights at a place must be at least 0 and sum to 1, but do not"
    )
    assert not maps[~text.mask].any(), "a masked word has weight"


@GENERATOR_CHECKS.add(
    why="`help(...)` is where people look first",
    remedy="give the class, its config and its options a docstring each",
)
def is_documented(generator: Generator) -> None:
    missing = undocumented(type(generator), generator.config_type, generator.options_type)
    assert not missing, f"public classes must have docstrings, but {', '.join(missing)} has none"


@contextmanager
def _saved(generator: Generator) -> Iterator[Path]:
    """A snapshot of the generator, for as long as the block runs."""
    generator.eval().requires_grad_(False)
    with TemporaryDirectory() as scratch:
        yield save_pretrained(generator, Path(scratch) / "snapshot")


def _rebuilt(generator: Generator) -> Generator:
    values = generator.config_type.model_validate_json(generator.config.model_dump_json())
    make: Any = type(generator)
    return make(values)


def _refuses_unknown(kind: type[Config], what: str) -> None:
    try:
        parse_config(kind, {"no_such_field": 1}, what)
    except InvalidConfigError:
        return
    raise AssertionError(f"{kind.__name__} must refuse unknown fields, as every t2i.config.Config does")
