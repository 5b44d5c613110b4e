"""Layers that torch has no module for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from prunecell.n2d2.activations import Function


class _Connected(nn.Module):
    """A convolution in which some kernels do not exist: they are 0 and get no gradient.

    The weight has the full shape, so that it is stored and pruned as any other. Which kernels do
    not exist follows from the configuration and is no part of the state.
    """

    weight: Tensor
    unconnected: Tensor

    def set_unconnected(self, unconnected: Tensor) -> None:
        """Sets the kernels that do not exist, bool broadcast to the weight, to 0."""
        self.register_buffer("unconnected", unconnected, persistent=False)
        with torch.no_grad():
            self.weight.masked_fill_(unconnected, 0)

    def connected_weight(self) -> Tensor:
        """The weight as forward uses it, whatever was written or loaded into it."""
        return self.weight.masked_fill(self.unconnected, 0)


class ConnectedConv2d(nn.Conv2d, _Connected):
    """nn.Conv2d with a mapping that groups cannot express."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: D102
        result: Tensor = self._conv_forward(input, self.connected_weight(), self.bias)
        return result


class ConnectedConvTranspose2d(nn.ConvTranspose2d, _Connected):
    """nn.ConvTranspose2d with a mapping that groups cannot express."""

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:  # noqa: D102
        return functional.conv_transpose2d(
            input,
            self.connected_weight(),
            self.bias,
            self.stride,
            self.padding,  # type: ignore[arg-type] # a str only in other convolutions
            self.output_padding,
            self.groups,
            self.dilation,
        )


class ElemWise(nn.Module):
    """One operation over several inputs of the same shape."""

    operations: tuple[str, ...] = ("Sum", "AbsSum", "EuclideanSum", "Prod", "Max")

    def __init__(self, operation: str, weights: Sequence[float], shifts: Sequence[float]) -> None:
        super().__init__()
        self.operation = operation
        self.weights: tuple[float, ...] = tuple(weights)
        self.shifts: tuple[float, ...] = tuple(shifts)

    def extra_repr(self) -> str:  # noqa: D102
        return f"{self.operation}, weights={self.weights}, shifts={self.shifts}"

    def forward(self, *inputs: Tensor) -> Tensor:  # noqa: D102
        if self.operation == "Prod":
            return _fold(torch.mul, inputs)
        if self.operation == "Max":
            return _fold(torch.maximum, inputs)
        if self.operation == "AbsSum":
            inputs = tuple(each.abs() for each in inputs)
        terms = [
            (each if weight == 1 else weight * each) if shift == 0 else weight * each + shift
            for each, weight, shift in zip(inputs, self.weights, self.shifts, strict=True)
        ]
        if self.operation == "EuclideanSum":
            # Its gradient at 0 is 0, where that of the square root of a sum is not a number.
            norm: Tensor = torch.linalg.vector_norm(torch.stack(terms), dim=0)
            return norm
        return _fold(torch.add, terms)


class Concat(nn.Module):
    """The channels of its inputs one after another."""

    def forward(self, *inputs: Tensor) -> Tensor:  # noqa: D102
        return torch.cat(inputs, 1)


class Activation(nn.Module):
    """An activation function as a cell of its own."""

    def __init__(self, function: Function | None) -> None:
        super().__init__()
        self.function = function

    def forward(self, input: Tensor) -> Tensor:  # noqa: D102
        return input if self.function is None else self.function(input)


class Softmax(nn.Module):
    """Softmax over all channels or groups of them; `log` gives its logarithm."""

    def __init__(self, group: int, log: bool) -> None:
        super().__init__()
        self.group = group
        self.log = log

    def extra_repr(self) -> str:  # noqa: D102
        return f"group={self.group}, log={self.log}"

    def forward(self, input: Tensor) -> Tensor:  # noqa: D102
        batch, _, *sizes = input.shape
        grouped = input.reshape(batch, -1, self.group, *sizes)
        result = grouped.log_softmax(2) if self.log else grouped.softmax(2)
        return result.flatten(1, 2)


def _fold(operation: Any, inputs: Sequence[Tensor]) -> Tensor:
    result = inputs[0]
    for each in inputs[1:]:
        result = operation(result, each)
    return result
