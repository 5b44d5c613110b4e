"""The builders of all Types, which read the cell's properties, check them and make the module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from torch import nn

from prunecell.config.errors import shorten
from prunecell.n2d2.activations import read_activation
from prunecell.n2d2.geometry import Shape, count, read_window, slide
from prunecell.n2d2.mapping import is_one_to_one
from prunecell.n2d2.modules import Activation, Concat, ElemWise, Softmax
from prunecell.n2d2.reading import CellSection, check_outputs
from prunecell.n2d2.site import Built, Site
from prunecell.n2d2.weighted import convolution, fully_connected


def _pool(site: Site) -> Built:
    cell = site.cell
    how = cell.get("Pooling")  # read first, or it is taken for a misspelt PoolDims
    window, at = read_window(cell, "Pool", dilated=False)
    arriving = site.joined()
    value = cell.get("NbOutputs")
    outputs = arriving.channels if value is None else count(value)
    if not is_one_to_one(site.connections(outputs), arriving.channels, outputs):
        raise cell.error(
            "pooling over several channels is not supported; write Mapping.Size=1 (each output "
            f"pools one channel) and NbOutputs={arriving.channels}"
        )
    half = (window.size[0] // 2, window.size[1] // 2)
    if window.padding[0] > half[0] or window.padding[1] > half[1]:
        raise at.error("padding of more than half of the pooling area is not supported")
    if how is None or how.choice(("Max", "Average")) == "Max":
        module: nn.Module = nn.MaxPool2d(window.size, window.stride, window.padding)
    else:
        # Padding counts as zeros in the average, as in the reference.
        module = nn.AvgPool2d(window.size, window.stride, window.padding)
    return Built(module, Shape(outputs, *slide(arriving, window, at)), flat=False)


def _batch_norm(site: Site) -> Built:
    cell, arriving = site.cell, site.joined()
    check_outputs(cell, arriving.channels)
    site.weights.take(arriving.channels, cell.raw("Input"))
    kind = nn.BatchNorm1d if arriving.flat else nn.BatchNorm2d
    # 0 asks for the smallest epsilon that works, cuDNN's, which is torch's default as well.
    epsilon = _number(cell, "Epsilon", 0.0, most=1.0) or 1e-5
    momentum = _number(cell, "MovingAverageMomentum", 0.1, most=1.0)
    return Built(kind(arriving.channels, epsilon, momentum), arriving, flat=arriving.flat)


def _dropout(site: Site) -> Built:
    arriving = site.joined()
    check_outputs(site.cell, arriving.channels)
    rate = _number(site.cell, "Dropout", 0.5, most=1.0)
    return Built(nn.Dropout(rate), arriving, flat=arriving.flat)


def _elem_wise(site: Site) -> Built:
    cell = site.cell
    first = site.shapes[0]
    for shape in site.shapes[1:]:
        if replace(shape, flat=first.flat) != first:
            raise site.disagree("in all sizes")
    check_outputs(cell, first.channels)
    value = cell.get("Operation")
    operation = "Sum" if value is None else value.choice(ElemWise.operations)
    none: tuple[float, ...] = ()
    weights = _coefficients(site, "Weights", 1.0) if operation.endswith("Sum") else none
    shifts = (0.0,) * len(weights)
    if operation in ("Sum", "EuclideanSum"):
        shifts = _coefficients(site, "Shifts", 0.0)
    flat = all(shape.flat for shape in site.shapes)
    module = ElemWise(operation, weights, shifts)
    return Built(module, replace(first, flat=flat), flat, joined=False)


def _concat(site: Site) -> Built:
    arriving = site.joined()
    check_outputs(site.cell, arriving.channels)
    return Built(Concat(), arriving, flat=arriving.flat, joined=False)


def _activation(site: Site) -> Built:
    arriving = site.joined()
    check_outputs(site.cell, arriving.channels)
    return Built(Activation(read_activation(site.cell)), arriving, flat=arriving.flat)


def _softmax(site: Site) -> Built:
    cell, arriving = site.cell, site.joined()
    check_outputs(cell, arriving.channels)
    group = cell.get("GroupSize")
    size = (count(group, low=0) if group else 0) or arriving.channels
    if group is not None and arriving.channels % size:
        raise group.error(f"{arriving.channels} channels cannot be divided by {size}")
    with_loss = cell.get("WithLoss")
    log = with_loss is not None and with_loss.flag()
    if log and with_loss is not None and site.readers:
        raise with_loss.error(
            f"with the loss it gives logarithms, but [{site.readers[0]}] reads it; write WithLoss=0"
        )
    return Built(Softmax(size, log), arriving, flat=arriving.flat)


BUILDERS: dict[str, Callable[[Site], Built]] = {
    "Conv": partial(convolution, transposed=False),
    "Deconv": partial(convolution, transposed=True),
    "Fc": fully_connected,
    "Pool": _pool,
    "BatchNorm": _batch_norm,
    "Dropout": _dropout,
    "ElemWise": _elem_wise,
    "Concat": _concat,
    "Activation": _activation,
    "Softmax": _softmax,
}
# Types with an activation after the cell; that of an Activation is the cell itself.
ACTIVATED = ("Conv", "Deconv", "Fc", "Pool", "BatchNorm", "ElemWise")
WITH_WEIGHTS = ("Conv", "Deconv", "Fc")


def _number(cell: CellSection, key: str, default: float, *, most: float) -> float:
    value = cell.get(key)
    if value is None:
        return default
    number = value.number()
    if not 0 <= number <= most:
        raise value.error(f"expected 0 to {most:g}, got {shorten(value)}")
    return number


def _coefficients(site: Site, key: str, default: float) -> tuple[float, ...]:
    value = site.cell.get(key)
    if value is None:
        return (default,) * len(site.inputs)
    numbers = value.numbers()
    if len(numbers) != len(site.inputs):
        raise value.error(f"expected {len(site.inputs)} numbers, one per input, got {len(numbers)}")
    return tuple(numbers)
