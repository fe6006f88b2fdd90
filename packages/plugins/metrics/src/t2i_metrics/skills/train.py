"""`nox -s train-detector -- OUT` trains the bundled detector in 25 minutes of one CPU core.

Every picture is a fresh render of openmoji-world, from random streams that no split of the dataset uses, withheld
combinations included; no generator's pictures and no generator's training data are used. Interrupted training continues
from the cache.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save, save_file
from torch import Tensor

from t2i.files import atomic_folder, cache_home, sha256_of, write_atomic
from t2i.progress import Progress, silent
from t2i_metrics.skills.batches import FRESH, SEED, SIZE, UNNAMED, Batch, batches
from t2i_metrics.skills.card import CARD, LICENSE, table
from t2i_metrics.skills.detector import SIDE, Detector, Maps
from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.things import things

STEPS = 4_000
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.02
WARM_UP, DECAY = 0.1, 0.33  # shares of the steps: at the beginning, and at the end
SMOOTHING = 0.05  # of the labels
KEEP_EVERY = 250  # steps


def train_detector(out: Path, progress: Progress = silent, steps: int = STEPS) -> str:
    """Train the detector and write it with its card.

    Args:
        out: a new folder, which gets model.safetensors, README.md and LICENSE.
        steps: of SIZE pictures each.

    Returns:
        The card.

    Raises:
        T2IError: `out` exists or cannot be written.
    """
    detector = fit(steps, progress)
    with atomic_folder(out) as scratch:
        path = scratch / "model.safetensors"
        write_detector(detector, path)
        facts = {"sha256": sha256_of(path), "things": len(detector.things), "side": SIDE}
        card = CARD.format(**facts, pictures=f"{steps * FRESH:,}", table=table(path))
        (scratch / "README.md").write_text(card, encoding="utf-8")
        (scratch / "LICENSE").write_text(LICENSE, encoding="utf-8")
    return card


def fit(steps: int, progress: Progress = silent) -> Detector:
    """A detector trained for so many steps; an interrupted run continues from the cache."""
    torch.manual_seed(SEED)  # the weights
    detector = Detector(list(things()), COLOURS).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(detector.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    kept = cache_home() / "skills" / f"detector-{steps}.safetensors"
    done = restore(kept, detector, optimizer)
    with progress(f"Detector, {steps} steps of {SIZE} pictures", steps) as advance:
        advance(done)
        for step, batch in enumerate(batches(range(done, steps)), start=done):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * schedule(step / steps)
            with torch.autocast("cpu", torch.bfloat16):
                maps = detector(batch.images.contiguous(memory_format=torch.channels_last))
            loss = losses(detector, maps, batch)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(detector.parameters(), 5.0)
            optimizer.step()
            advance(1)
            if (step + 1) % KEEP_EVERY == 0:
                keep(kept, detector, optimizer, step + 1)
    return detector.eval()


def schedule(part: float) -> float:
    """The learning rate relative to its peak, by the share of steps done: warm-up, plateau, decay to 0."""
    return min(part / WARM_UP, 1.0, (1 - part) / DECAY)


def losses(detector: Detector, maps: Maps, batch: Batch) -> Float[Tensor, ""]:
    """The losses of the map of centres (Zhou et al. 2019, eq. 1), and of names and colours at the true centres."""
    logits = maps.centre.float()
    certain, centres = logits.sigmoid().clamp(1e-4, 1 - 1e-4), batch.heat == 1
    found = -((1 - certain) ** 2 * certain.log())[centres].sum()
    false = -((1 - batch.heat) ** 4 * certain**2 * (1 - certain).log())[~centres].sum()
    thing, colour = detector.name(maps, batch.picture, batch.x, batch.y)
    named = F.cross_entropy(thing, batch.thing, label_smoothing=SMOOTHING)
    coloured = F.cross_entropy(colour, batch.colour, ignore_index=UNNAMED, label_smoothing=SMOOTHING)
    return (found + false) / len(batch.thing) + named + coloured


def keep(path: Path, detector: Detector, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write everything that is needed to continue."""
    tensors = {f"model.{name}": value.contiguous() for name, value in detector.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value).contiguous() for name, value in state.items()}
    write_atomic(path, save(tensors, {"step": str(step)}))


def restore(path: Path, detector: Detector, optimizer: torch.optim.Optimizer) -> int:
    """Read what `keep` wrote and return its step; 0 if there is no file."""
    if not path.is_file():
        return 0
    model: dict[str, Tensor] = {}
    state: dict[int, dict[str, Tensor]] = {}
    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118
            kind, _, rest = name.partition(".")
            if kind == "model":
                model[rest] = file.get_tensor(name)
            else:
                number, _, field = rest.partition(".")
                state.setdefault(int(number), {})[field] = file.get_tensor(name)
        step = int(file.metadata()["step"])
    detector.load_state_dict(model)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return step


def write_detector(detector: Detector, path: Path) -> None:
    """Write the weights in half precision, with the names of the classes."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in detector.state_dict().items()
    }
    save_file(tensors, path, {"things": json.dumps(detector.things), "colours": json.dumps(detector.colours)})
