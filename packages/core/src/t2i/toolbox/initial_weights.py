"""The papers' weight initialisations: `network.apply(normal_init)`."""

from __future__ import annotations

from torch import nn

from t2i.toolbox.convolutions import JointConv, UpConv

WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, UpConv, JointConv)


def normal_init(module: nn.Module) -> None:
    """N(0, .02), as in DCGAN (Radford et al. 2016), StackGAN; norms N(1, .02); biases of norms and Linear layers 0."""
    if isinstance(module, WEIGHTED):
        nn.init.normal_(module.weight, 0, 0.02)
    _other_init(module)


def orthogonal_init(module: nn.Module) -> None:
    """Orthogonal, as in StackGAN++ and AttnGAN; the rest as in `normal_init`."""
    if isinstance(module, WEIGHTED):
        nn.init.orthogonal_(module.weight)
    _other_init(module)


def _other_init(module: nn.Module) -> None:
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
