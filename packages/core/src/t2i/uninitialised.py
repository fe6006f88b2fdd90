"""Builds networks whose weights are loaded right afterwards, without drawing initial ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

FILLS = frozenset({torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.fill_, torch.Tensor.zero_})
"""The tensor methods that the functions of torch.nn.init call."""

DRAWS = frozenset({torch.randn, torch.rand})
"""Functions that import torch's compiler on the meta device, where there is nothing to draw."""


class Uninitialised(TorchFunctionMode):
    """`with Uninitialised():` networks built in this thread keep uninitialised weights.

    Drawing weights only to overwrite them takes up to two seconds, and on the meta device it makes torch import its
    compiler, which takes longer than drawing a picture. Only torch.nn.init and the methods it calls are
    skipped, and on the meta device random tensors: everything else, such as fixed frequencies in a buffer, is computed.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if getattr(func, "__module__", "") == "torch.nn.init" or (
            func in FILLS and isinstance(args[0], torch.nn.Parameter)
        ):
            return args[0] if args else named["tensor"]
        if func in DRAWS and torch.get_default_device().type == "meta":
            return torch.empty(*args, **named)
        if func is torch.Tensor.normal_:  # in orthogonal_, on a matrix that is not a parameter yet
            return args[0]
        if func is torch.linalg.qr:  # also in orthogonal_
            return args[0], args[0].new_zeros(args[0].shape[1], args[0].shape[1])
        return func(*args, **named)
