"""Faster copies of networks that draw the same pictures up to rounding: for drawing, never for saving."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils import fusion

ModuleT = TypeVar("ModuleT", bound=nn.Module)
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def folded(module: ModuleT) -> ModuleT:
    """A copy of `module` in evaluation mode, channels last, its batch norms folded into the layers before them.

    Folds each BatchNorm that directly follows a Conv2d, ConvTranspose2d or Linear in an `nn.Sequential`, which must
    be called as a whole: a layer indexed out of it would lack its norm. A module with a method `for_drawing() ->
    nn.Module` is first replaced by the result of that method.
    """
    twin = copy.deepcopy(module).eval().requires_grad_(False)
    for parent in list(twin.modules()):
        for name, child in list(parent.named_children()):
            faster: Callable[[], nn.Module] | None = getattr(child, "for_drawing", None)
            if faster is not None:
                setattr(parent, name, faster().eval())
    for sequence in [each for each in twin.modules() if type(each) is nn.Sequential]:
        for index in range(len(sequence) - 1):
            layer, norm = sequence[index], sequence[index + 1]
            if isinstance(norm, nn.BatchNorm2d) and type(layer) in _CONVOLUTIONS:
                transposed = isinstance(layer, nn.ConvTranspose2d)
                sequence[index] = fusion.fuse_conv_bn_eval(layer, norm, transposed)  # type: ignore[type-var]
                sequence[index + 1] = nn.Identity()
            elif isinstance(norm, nn.BatchNorm1d) and type(layer) is nn.Linear:
                sequence[index] = fusion.fuse_linear_bn_eval(layer, norm)
                sequence[index + 1] = nn.Identity()
    return twin.to(memory_format=torch.channels_last)
