"""Builders of the cells with weights: convolutions and fully connected cells."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import utils

from prunecell.n2d2.fillers import (
    Fans,
    Filler,
    read_bias_filler,
    read_weights_filler,
)
from prunecell.n2d2.geometry import Shape, Window, count, read_window, slide, spread
from prunecell.n2d2.mapping import Connections
from prunecell.n2d2.modules import ConnectedConv2d, ConnectedConvTranspose2d
from prunecell.n2d2.reading import CellSection
from prunecell.n2d2.site import Built, Site

# torch's function, without the draws of its own initialization.
_uninitialized: Any = utils.skip_init


def convolution(site: Site, *, transposed: bool) -> Built:
    """Builds a Conv, or a Deconv if `transposed`."""
    cell = site.cell
    window, at = read_window(cell, "Kernel", dilated=True)
    arriving = site.joined()
    outputs = count(cell.read("NbOutputs", "16"))
    links = site.connections(outputs)
    size = (spread if transposed else slide)(arriving, window, at)
    number = arriving.channels // links.groups * outputs * prod(window.size)
    site.weights.take(number, cell.read("NbOutputs"))
    module: nn.Module = _uninitialized(
        _kind(links, transposed),
        arriving.channels,
        outputs,
        kernel_size=window.size,
        stride=window.stride,
        padding=window.padding,
        dilation=window.dilation,
        groups=links.groups,
        bias=_has_bias(cell),
    )
    weights, bias = read_weights_filler(cell), read_bias_filler(cell)

    def fill(generator: torch.Generator | None) -> None:
        kernels: Tensor = module.weight.detach()  # type: ignore[operator]
        by_channel = kernels.transpose(0, 1) if transposed and links.groups == 1 else kernels
        for start, stop, fans in _parts(site, links, window, outputs):
            weights.fill(by_channel[:, start:stop], fans, generator)
        _fill_bias(module, bias, generator)
        if isinstance(module, (ConnectedConv2d, ConnectedConvTranspose2d)):
            kept = torch.from_numpy(links.matrix)
            module.set_unconnected(~(kept.T if transposed else kept)[:, :, None, None])

    return Built(module, Shape(outputs, *size), flat=False, fill=fill)


def fully_connected(site: Site) -> Built:
    """Builds an Fc over all values of all inputs."""
    cell = site.cell
    outputs = count(cell.read("NbOutputs", "10"))
    features = [shape.numel for shape in site.shapes]
    site.weights.take(sum(features) * outputs, cell.read("NbOutputs"))
    module: nn.Linear = _uninitialized(nn.Linear, sum(features), outputs, bias=_has_bias(cell))
    weights, bias = read_weights_filler(cell), read_bias_filler(cell)

    def fill(generator: torch.Generator | None) -> None:
        start = 0
        for number in features:
            part = module.weight.detach()[:, start : start + number]
            weights.fill(part, Fans(number, outputs), generator)
            start += number
        _fill_bias(module, bias, generator)

    return Built(module, Shape(outputs, 1, 1, flat=True), flat=True, fill=fill)


def _kind(links: Connections, transposed: bool) -> type[nn.Module]:
    if transposed:
        return nn.ConvTranspose2d if links.matrix is None else ConnectedConvTranspose2d
    return nn.Conv2d if links.matrix is None else ConnectedConv2d


def _parts(
    site: Site, links: Connections, window: Window, outputs: int
) -> list[tuple[int, int, Fans]]:
    """First channel, end and fans of each part of a kernel that belongs to one input."""
    area = prod(window.size)
    channels = [shape.channels for shape in site.shapes]
    if links.groups > 1:
        total = sum(channels)
        return [(0, total, Fans(area * total // links.groups, area * outputs))]
    parts, start = [], 0
    for number, groups in zip(channels, links.groups_by_input, strict=True):
        parts.append((start, start + number, Fans(area * number // groups, area * outputs)))
        start += number
    return parts


def _has_bias(cell: CellSection) -> bool:
    value = cell.get("NoBias")
    return value is None or not value.flag()


def _fill_bias(module: nn.Module, filler: Filler, generator: torch.Generator | None) -> None:
    if isinstance(module.bias, Tensor):
        filler.fill(module.bias, Fans(1, 1), generator)
