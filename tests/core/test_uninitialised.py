"""Networks whose weights are loaded afterwards: no random numbers, no slow imports, everything else is computed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from t2i.registry.describe import list_models
from t2i.uninitialised import Uninitialised

INITS: dict[str, Callable[[Tensor], Tensor]] = {
    name: getattr(nn.init, name)
    for name in (
        "normal_", "uniform_", "zeros_", "ones_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_",
        "kaiming_normal_", "orthogonal_",
    )
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in INITS if name != "orthogonal_"])
def test_functions_of_torch_nn_init_leave_a_parameter_as_it_is(name: str) -> None:
    weight = nn.Parameter(torch.full((6, 4), 7.0))
    before = torch.get_rng_state()
    with Uninitialised(), torch.no_grad():
        INITS[name](weight)
    assert weight.eq(7).all() and torch.equal(torch.get_rng_state(), before)
    INITS[name](weight)
    assert not weight.eq(7).all(), "outside the block they work as usual"


def test_orthogonal_weights_draw_no_random_numbers() -> None:
    before = torch.get_rng_state()
    with Uninitialised():
        for shape in ((6, 4), (4, 6), (3, 2, 3, 3)):
            assert nn.init.orthogonal_(nn.Parameter(torch.empty(shape))).shape == shape
    assert torch.equal(torch.get_rng_state(), before)


def test_other_computations_of_a_module_run() -> None:
    with Uninitialised():
        norm, frequencies = nn.BatchNorm2d(3), torch.arange(4).float().exp()
        drawn = torch.randn(3)
    assert norm.running_var is not None and norm.running_mean is not None
    torch.testing.assert_close(frequencies, torch.tensor([0.0, 1, 2, 3]).exp())
    assert drawn.any()


def test_drawing_a_picture_imports_nothing_slow() -> None:
    """For every bundled technique, with its text encoder: dynamo, sympy and others are slower to import than torch."""
    names = {name.partition(".")[0]: name for name in list_models(pretrained=True)}
    code = (
        "import sys, t2i\n"
        "for name in sys.argv[1:]:\n"
        "    t2i.pipeline(name)('a red heart', seed=1)\n"
        "slow = {'torch._dynamo', 'torch._inductor', 'sympy', 'pandas', 'scipy', 'sklearn'} & {*sys.modules}\n"
        "slow |= {'transformers', 'sentence_transformers', 'huggingface_hub'} & {*sys.modules}\n"
        "assert not slow, slow\n"
    )
    assert len(names) > 6
    subprocess.run([sys.executable, "-c", code, *names.values()], check=True)
