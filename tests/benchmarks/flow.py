"""A step of drawing and a step of training, against a plain DiT of diffusers of equal width, depth and tokens.

DiT draws as diffusers' pipeline does, guided at every step; t2i-flow once likewise, and once with the guidance of its
defaults, which ends when little noise is left.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from diffusers import DiTTransformer2DModel
from measure import functions, line, ratio

from t2i.noise import Noise
from t2i.testing.checks.tiny_training import batch_of
from t2i.text import TextEmbedding
from t2i_flow.config import FlowConfig, FlowObjectiveConfig
from t2i_flow.generator import FlowTransformer
from t2i_flow.training import FlowObjective

SIDE, PATCH, DIM, DEPTH, HEADS = 64, 8, 192, 6, 6
BATCH, WORDS, STEPS, GUIDANCE = 16, 12, 10, 3.0


def run() -> None:
    torch.manual_seed(0)
    what = f"{DEPTH} blocks of {DIM}, {(SIDE // PATCH) ** 2} tokens, batch {BATCH}"
    defaults, everywhere, dit = functions(_ours_draws(), _ours_draws(guidance_until=0.0), _dit_draws(), runs=7)
    ours_trains, dit_trains = functions(_ours_trains(), _dit_trains(), runs=7)
    line(f"diffusers DiT with a class, drawing, guided, {what}", f"{1000 * dit.median / STEPS:.0f} ms per step")
    line("t2i-flow, as its defaults draw", f"{1000 * defaults.median / STEPS:.0f} ms per step")
    line("  against DiT", f"{ratio(dit, defaults):.2f} x", "goal: at least 1.2 x")
    line("t2i-flow, guided at every step, too", f"{1000 * everywhere.median / STEPS:.0f} ms per step")
    line("  against DiT", f"{ratio(dit, everywhere):.2f} x")
    line("diffusers DiT, training", f"{1000 * dit_trains.median:.0f} ms per step")
    line("t2i-flow, training", f"{1000 * ours_trains.median:.0f} ms per step")
    line("  against DiT", f"{ratio(dit_trains, ours_trains):.2f} x")
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in (_ours().denoiser, _dit())]
    line("parameters, t2i-flow and DiT", " and ".join(f"{count / 1e6:.1f} M" for count in counts))


def _ours() -> FlowTransformer:
    hidden = DIM * 8 // 3  # three matrices of a SwiGLU are as large as the two of DiT's MLP
    return FlowTransformer(
        FlowConfig(resolution=SIDE, patch=PATCH, dim=DIM, depth=DEPTH, heads=HEADS, hidden_dim=hidden)
    )


def _dit() -> DiTTransformer2DModel:
    return DiTTransformer2DModel(
        num_attention_heads=HEADS,
        attention_head_dim=DIM // HEADS,
        in_channels=3,
        out_channels=3,
        num_layers=DEPTH,
        sample_size=SIDE,
        patch_size=PATCH,
    )


def _text(generator: FlowTransformer) -> TextEmbedding:
    words = torch.randn(BATCH, WORDS, generator.text_dim)
    return TextEmbedding(words.mean(1), words, torch.ones(BATCH, WORDS, dtype=torch.bool))


def _ours_draws(**values: float) -> Callable[[], None]:
    generator = _ours().eval().requires_grad_(False)
    text, options = _text(generator), generator.options(sampler="euler", steps=STEPS, guidance=GUIDANCE, **values)

    def draw() -> None:
        with torch.inference_mode():
            generator.generate(text, Noise(range(BATCH)), options)

    return draw


def _dit_draws() -> Callable[[], None]:
    """Draw as diffusers' DiTPipeline does: one batch with and without the class."""
    network = _dit().eval().requires_grad_(False)
    classes = torch.cat([torch.arange(BATCH), torch.full((BATCH,), 1000)])

    def draw() -> None:
        with torch.inference_mode():
            z = torch.randn(BATCH, 3, SIDE, SIDE)
            for step in range(STEPS):
                t = torch.full((2 * BATCH,), 1000 - 1000 * step // STEPS)
                conditional, unconditional = network(torch.cat([z, z]), timestep=t, class_labels=classes).sample.chunk(
                    2
                )
                z = z - (unconditional + GUIDANCE * (conditional - unconditional)) / STEPS

    return draw


def _ours_trains() -> Callable[[], None]:
    generator = _ours()
    objective = FlowObjective(generator, FlowObjectiveConfig())
    optimizer = torch.optim.AdamW(generator.parameters(), fused=True)
    text, images = _text(generator), torch.rand(BATCH, 3, SIDE, SIDE) * 2 - 1

    def train() -> None:
        objective.loss(batch_of(images, text))["velocity"].backward()
        optimizer.step()
        optimizer.zero_grad()

    return train


def _dit_trains() -> Callable[[], None]:
    network = _dit()
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    images = torch.rand(BATCH, 3, SIDE, SIDE) * 2 - 1

    def train() -> None:
        t, noise = torch.rand(BATCH), torch.randn_like(images)
        z = torch.lerp(images, noise, t[:, None, None, None])
        guess = network(z, timestep=(1000 * t).long(), class_labels=torch.arange(BATCH)).sample
        F.mse_loss(guess, noise - images).backward()
        optimizer.step()
        optimizer.zero_grad()

    return train
