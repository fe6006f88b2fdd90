"""Network and sampler as a Generator, beyond what the conformance suite checks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from t2i.noise import Noise
from t2i.testing.checks import captions
from t2i_flow.config import FlowConfig, FlowOptions
from t2i_flow.generator import FlowTransformer
from t2i_flow.sampler import times


def tiny() -> FlowTransformer:
    torch.manual_seed(0)
    shape = {"resolution": 16, "text_dim": 12, "patch": 4, "bottleneck": 8, "dim": 16, "depth": 2, "heads": 2}
    generator = FlowTransformer(FlowConfig.model_validate(shape | {"hidden_dim": 24}))
    for parameter in generator.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return generator.eval().requires_grad_(False)


def draw(generator: FlowTransformer, **options: Any) -> Tensor:
    return generator.generate(captions(4, 12), Noise(range(4)), generator.options(**options))


def test_text_seed_and_each_option_matter() -> None:
    generator = tiny()
    plain = draw(generator)
    assert not torch.equal(generator.generate(captions(4, 12), Noise(range(1, 5)), generator.options()), plain)
    assert not torch.equal(
        generator.generate(captions(4, 12)[[1, 2, 3, 0]], Noise(range(4)), generator.options()), plain
    )
    changes = [{"sampler": "euler"}, {"steps": 5}, {"guidance": 6.0}, {"shift": 2.0}]
    changes += [{"guidance_from": 0.7}, {"guidance_until": 0.3}]
    for options in changes:
        assert not torch.equal(draw(generator, **options), plain), options


def test_guidance_of_1_is_plain_sampling_at_half_the_cost() -> None:
    """With weight 1 the unconditional prediction cancels, so it is not computed."""
    generator = tiny()
    rows: list[int] = []
    generator.denoiser.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    plain = draw(generator, guidance=1.0)
    assert set(rows) == {4}
    torch.testing.assert_close(draw(generator, guidance=1.0 + 1e-6), plain, atol=1e-4, rtol=0)
    assert set(rows) == {4, 8}


def test_guidance_of_0_ignores_the_text() -> None:
    generator, text = tiny(), captions(4, 12)
    one, other = (
        generator.generate(each, Noise(range(4)), generator.options(guidance=0.0))
        for each in (text, text[[3, 2, 1, 0]])
    )
    assert torch.equal(one, other)


def test_guidance_is_off_outside_its_interval() -> None:
    """The batch is doubled only while guidance_until <= t <= guidance_from."""
    generator, rows = tiny(), []
    generator.denoiser.register_forward_pre_hook(lambda _, given: rows.append((given[1][0].item(), len(given[0]))))
    draw(generator, sampler="euler", steps=10, guidance=4.0, guidance_from=0.75, guidance_until=0.25)
    assert [t for t, _ in rows] == pytest.approx(times(10)[:-1])
    assert {round(t, 1) for t, count in rows if count == 8} == {0.3, 0.4, 0.5, 0.6, 0.7}
    everywhere, nowhere = draw(generator, guidance=1.0), draw(generator, guidance_from=0.0, guidance_until=1.0)
    assert torch.equal(everywhere, nowhere)


def test_guidance_is_the_papers_formula() -> None:
    """One step equals u + w (c - u), where c and u are the separate predictions with and without text."""
    generator, text = tiny(), captions(4, 12)
    generator.denoiser.out.weight.mul_(0.1)  # so that no prediction is clamped
    conditional, unconditional = (draw_once(generator, text, guidance) for guidance in (1.0, 0.0))
    found = draw_once(generator, text, 2.5)
    torch.testing.assert_close(found, unconditional + 2.5 * (conditional - unconditional), atol=1e-5, rtol=0)


def draw_once(generator: FlowTransformer, text: Any, guidance: float) -> Tensor:
    return generator.generate(text, Noise(range(4)), generator.options(steps=1, guidance=guidance))


@pytest.mark.parametrize("steps", [1, 4, 9])
def test_stages_are_the_predictions_of_every_step(steps: int) -> None:
    generator, text = tiny(), captions(4, 12)
    options = generator.options(steps=steps)
    watched = list(generator.stages(text, Noise(range(4)), options))
    assert len(watched) == generator.stage_count(options)
    assert len(watched) == steps and all(each.shape == (4, 3, 16, 16) for each in watched)
    assert torch.equal(watched[-1], generator.generate(text, Noise(range(4)), generator.options(steps=steps)))
    assert (
        len(list(generator.stages(text, Noise(range(4)), generator.options())))
        == len(generator.stage_resolutions)
        == FlowOptions().steps
    )


def test_a_picture_draws_noise_once() -> None:
    class Counted(Noise):
        def normal(self, *shape: int) -> Tensor:
            shapes.append(shape)
            return super().normal(*shape)

    shapes: list[tuple[int, ...]] = []
    tiny().generate(captions(2, 12), Counted([0, 1]), FlowOptions())
    assert shapes == [(3, 16, 16)]
