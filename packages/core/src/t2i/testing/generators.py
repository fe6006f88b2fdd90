"""What every Generator promises. Needs pytest (pip install pytest)."""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from t2i.config import parse_config
from t2i.errors import InvalidConfigError
from t2i.generator import Generator, Noise
from t2i.hub.snapshots import WEIGHTS, Snapshot, golden_error, load_generator, read_config, resolve
from t2i.registry.plugins import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.testing.checks import ROUNDING, captions, no_global_randomness, same
from t2i.text import TextEmbedding


class GeneratorSuite:
    """Inherit, name the class Test..., and override `generator` with a tiny variant on the CPU."""

    @pytest.fixture
    def generator(self) -> Generator:
        """A generator with fresh weights, as small as its config allows."""
        raise NotImplementedError("A GeneratorSuite overrides the fixture `generator`.")

    def test_pictures_are_rgb_in_range(self, generator: Generator) -> None:
        for count in (1, 3):
            images = draw(generator, captions(count, generator.text_dim), range(count))
            side = generator.resolution
            assert images.dtype == torch.float32, f"pictures are float32, not {images.dtype}"
            assert images.shape == (count, 3, side, side), (
                f"{count} captions at resolution {side} make [{count}, 3, {side}, {side}], not {list(images.shape)}"
            )
            assert images.isfinite().all(), "a pixel is not a finite number"
            assert images.abs().max() <= 1, f"pixels lie in [-1, 1], but one is {images.abs().max():.3g} from 0"

    def test_text_dim_is_honest(self, generator: Generator) -> None:
        try:
            draw(generator, captions(2, generator.text_dim + 1), range(2))
        except Exception:  # a stranger's network may raise anything
            return
        raise AssertionError(f"text_dim is {generator.text_dim}, but text one number wider was drawn all the same")

    def test_a_picture_does_not_depend_on_its_place_in_the_batch(self, generator: Generator) -> None:
        text, order = captions(8, generator.text_dim), torch.tensor([3, 7, 0, 5, 1, 6, 2, 4])
        whole = draw(generator, text, range(8))
        shuffled = draw(generator, text[order], order.tolist())
        assert same(shuffled, whole[order], ROUNDING), "a picture depends on its place in the batch"
        assert same(shuffled, whole[order]), (
            "a picture's bits depend on its place in the batch, though its size is a multiple of 4"
        )

    def test_a_picture_does_not_depend_on_its_neighbours(self, generator: Generator) -> None:
        text = captions(8, generator.text_dim)
        whole = draw(generator, text, range(8))
        for count in (4, 3, 1):
            part = draw(generator, text[:count], range(count))
            assert same(part, whole[:count], ROUNDING), f"{count} pictures alone differ from the same in a batch of 8"
        half = draw(generator, text[4:], range(4, 8))
        assert same(half, whole[4:]), "a picture's bits in a batch of 4 differ from those in a batch of 8"

    def test_padding_words_change_nothing(self, generator: Generator) -> None:
        text = captions(4, generator.text_dim)
        more = TextEmbedding(
            text.sentence,
            torch.nn.functional.pad(text.words, (0, 0, 0, 3)),
            torch.nn.functional.pad(text.mask, (0, 3), value=False),
        )
        plain, padded = (draw(generator, each, range(4)) for each in (text, more))
        assert same(plain, padded, ROUNDING), "words that the mask leaves out change the picture"

    def test_noise_is_the_only_randomness(self, generator: Generator) -> None:
        text = captions(4, generator.text_dim)
        with no_global_randomness("generate"):
            first = draw(generator, text, range(4))
        torch.manual_seed(int(torch.initial_seed()) ^ 1)
        assert same(first, draw(generator, text, range(4))), "the same text and noise make another picture"

    def test_drawing_leaves_the_generator_as_it_was(self, generator: Generator) -> None:
        generator.eval()
        before = copy.deepcopy(generator.state_dict())
        draw(generator, captions(4, generator.text_dim), range(4))
        changed = [name for name, tensor in generator.state_dict().items() if not torch.equal(tensor, before[name])]
        assert not changed, f"drawing changes {', '.join(changed)}"

    def test_opens_no_file_and_no_socket(self, generator: Generator) -> None:
        text = captions(4, generator.text_dim)
        draw(generator, text, range(4))  # torch imports parts of itself when they are first used
        with _Watched() as opened:
            draw(generator, text, range(4))
        assert not opened, f"a generator opens no file and no socket, but generate did: {', '.join(opened)}"

    def test_options_are_declared(self, generator: Generator) -> None:
        kind, text = generator.options_type, captions(4, generator.text_dim)
        with pytest.raises(InvalidConfigError):
            parse_config(kind, {"no_such_option": 1}, "options")
        defaults = kind().model_dump()
        plain, spelled_out = draw(generator, text, range(4)), draw(generator, text, range(4), **defaults)
        assert same(plain, spelled_out), f"the defaults of {kind.__name__} are not the defaults of generate"

    def test_stages_end_in_the_picture(self, generator: Generator) -> None:
        text = captions(4, generator.text_dim)
        generator.eval()
        with torch.inference_mode():
            stages = generator.stages(text, Noise(range(4)))
        sides = tuple(stage.shape[-1] for stage in stages)
        assert sides == generator.stage_resolutions, f"stages are {sides} px, not {generator.stage_resolutions}"
        assert same(stages[-1], draw(generator, text, range(4))), "the last stage is not what generate draws"

    def test_its_twin_for_drawing_draws_the_same(self, generator: Generator) -> None:
        text, before = captions(8, generator.text_dim), copy.deepcopy(generator.state_dict())
        generator.eval()
        twin = generator.for_drawing()
        whole = draw(twin, text, range(8))
        assert same(whole, draw(generator, text, range(8)), ROUNDING), "the twin for drawing draws otherwise"
        assert same(draw(twin, text[4:], range(4, 8)), whole[4:]), "the twin's bits depend on the batch"
        changed = [name for name, tensor in generator.state_dict().items() if not torch.equal(tensor, before[name])]
        assert not changed, f"making a twin changes {', '.join(changed)}"

    def test_config_makes_it_again(self, generator: Generator) -> None:
        kind, config = generator.config_type, generator.config
        assert type(config) is kind, f"config is a {type(config).__name__}, but config_type is {kind.__name__}"
        assert kind.model_validate_json(config.model_dump_json()) == config, "the config does not survive JSON"
        with pytest.raises(InvalidConfigError):
            parse_config(kind, {"no_such_field": 1}, "config")
        again = _rebuilt(generator).state_dict()
        shapes = {name: tensor.shape for name, tensor in generator.state_dict().items()}
        assert {name: tensor.shape for name, tensor in again.items()} == shapes, "the config makes another network"

    def test_saved_and_loaded_it_draws_the_same_bits(self, generator: Generator, tmp_path: Path) -> None:
        generator.eval().requires_grad_(False)
        folder = generator.save_pretrained(tmp_path / "snapshot")
        loaded = _rebuilt(generator).eval().requires_grad_(False)
        loaded.load_state_dict(load_file(folder / WEIGHTS))
        text = captions(4, generator.text_dim)
        assert same(draw(loaded, text, range(4)), draw(generator, text, range(4))), "loaded weights draw otherwise"
        error = golden_error(Snapshot("", folder, read_config(folder)), loaded)
        assert error == 0, f"the loaded generator misses its golden pictures by {error:.3g}"

    def test_a_copy_draws_the_same_bits(self, generator: Generator) -> None:
        text = captions(4, generator.text_dim)
        copied = copy.deepcopy(generator)  # what a moving average begins as
        assert same(draw(copied, text, range(4)), draw(generator, text, range(4))), "a deep copy draws otherwise"

    def test_is_registered_under_its_name(self, generator: Generator, tmp_path: Path) -> None:
        name, kind = generator.technique, type(generator)
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name), f"a technique's name is lower-case, not {name!r}"
        spec, _ = registry().get(ModelSpec, name)
        assert load_target(spec.target) is kind, f"{name!r} is registered as {spec.target}, not {kind.__qualname__}"
        assert load_target(spec.config) is generator.config_type, f"{name!r} is registered with another config"
        folder = generator.eval().save_pretrained(tmp_path / "snapshot")
        assert type(load_generator(resolve(f"local-dir:{folder}"))) is kind


def draw(generator: Generator, text: TextEmbedding, seeds: Sequence[int], **options: Any) -> Tensor:
    """The pictures of `text`, drawn as a pipeline draws them."""
    generator.eval()
    with torch.inference_mode():
        return generator.generate(text, Noise(seeds), **options)


def _rebuilt(generator: Generator) -> Generator:
    values = generator.config_type.model_validate_json(generator.config.model_dump_json())
    make: Any = type(generator)
    return make(values)


class _Watched:
    """Lists what is opened inside its block. Python never forgets an audit hook, so one serves for ever."""

    _hooked = False
    _opened: list[str] | None = None

    def __enter__(self) -> list[str]:
        if not _Watched._hooked:
            sys.addaudithook(_Watched._hear)
            _Watched._hooked = True
        _Watched._opened = []
        return _Watched._opened

    def __exit__(self, *_: object) -> None:
        _Watched._opened = None

    @staticmethod
    def _hear(event: str, arguments: tuple[object, ...]) -> None:
        if _Watched._opened is not None and event in ("open", "socket.connect", "socket.getaddrinfo"):
            _Watched._opened.append(f"{event} {arguments[0]}")
