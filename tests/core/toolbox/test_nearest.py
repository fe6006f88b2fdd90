"""The nearest of several drawings: which one it is, and that noise then decides what the caption leaves open."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from t2i.toolbox.nearest import nearest_noise

IMAGES = torch.tensor([0.0, 1.0, -1.0]).view(3, 1, 1, 1).expand(3, 3, 2, 2)


def flat(z: Tensor) -> Tensor:
    """A picture as grey as the first number of its noise."""
    return z[:, :1, None, None].expand(-1, 3, 2, 2)


def test_the_nearest_is_taken_for_each_picture() -> None:
    grey = torch.tensor([[0.5, -0.1, 0.2], [0.5, -0.1, 0.2], [2.0, -3.0, 0.9]])
    candidates = torch.stack([grey, torch.arange(9.0).view(3, 3)], dim=2)  # 3 pictures, 3 candidates, 2 numbers
    assert nearest_noise(flat, candidates, IMAGES)[:, 1].tolist() == [1, 3, 8]


def test_a_single_candidate_is_not_drawn() -> None:
    def draws(z: Tensor) -> Tensor:
        raise AssertionError("drawn")

    z = torch.randn(3, 1, 4)
    assert torch.equal(nearest_noise(draws, z, IMAGES), z[:, 0])


def test_drawing_candidates_leaves_no_gradient() -> None:
    layer = nn.Linear(2, 12)
    z = nearest_noise(lambda z: layer(z).view(-1, 3, 2, 2), torch.randn(3, 4, 2), IMAGES)
    assert not z.requires_grad and layer.weight.grad is None


def trained(candidates: int) -> Tensor:
    """Drawings of a caption that means black or white equally often, after training on squared error."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1), nn.Tanh())
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(300):
        images = torch.randint(2, (32, 1, 1, 1), generator=generator).mul(2).sub(1).expand(-1, 3, 2, 2).float()
        z = nearest_noise(lambda z: flat(network(z)), torch.randn(32, candidates, 2, generator=generator), images)
        loss = (flat(network(z)) - images).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network(torch.randn(200, 2, generator=generator)).detach().flatten()


def test_noise_decides_what_the_caption_leaves_open() -> None:
    assert trained(1).abs().max() < 0.4  # the mean of black and white, whatever the noise
    sharp = trained(4)
    assert sharp.abs().mean() > 0.8 and 0.25 < (sharp > 0).float().mean() < 0.75  # black or white
