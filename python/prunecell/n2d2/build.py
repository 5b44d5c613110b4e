"""Builds a network from a file: plan, build each cell, check, fill, attach what prunes."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

from prunecell.config import IniFile, read
from prunecell.config.budget import loading_budget
from prunecell.config.prune import build as build_quantizers
from prunecell.limits import MAX_SAMPLE
from prunecell.n2d2.activations import Function, read_activation
from prunecell.n2d2.geometry import Shape
from prunecell.n2d2.graph import INPUT, Network, Step, TakenNameError
from prunecell.n2d2.layers import ACTIVATED, BUILDERS, WITH_WEIGHTS
from prunecell.n2d2.plan import (
    INPUT_NAMES,
    Plan,
    check_file_keys,
    make_plan,
    read_input_shape,
)
from prunecell.n2d2.reading import CellSection, check_configs
from prunecell.n2d2.site import Built, Site, Source, Weights
from prunecell.quantizer import PruneCell
from prunecell.torch.wrap import wrap


def from_ini(
    path: str | os.PathLike[str],
    *,
    seed: int | None = None,
    attach: bool = True,
    variables: Mapping[str, str] | None = None,
) -> Network:
    """The network that an INI file describes, as a `torch.nn.Module` named after its sections.

    Args:
        path: The file. Templates are opened only inside its folder.
        seed: Seed of the fillers of weights and biases; None: torch's own generator.
        attach: Whether sections with QWeight=Prune get their PruneCell.
        variables: Values for `${NAME}` that the file itself does not define.

    Raises:
        ConfigError: The file describes no network that can be built: the message names file, line,
            section and key, and what is accepted.
        OSError: The file cannot be opened.
    """
    return build(read(path, variables=variables), seed=seed, attach=attach)


def build(ini: IniFile, *, seed: int | None = None, attach: bool = True) -> Network:
    """Like from_ini, for a loaded file; it is supplied with the sizes of cells."""
    budget = loading_budget()
    plan = make_plan(ini, budget)
    shape = read_input_shape(ini, budget)
    check_file_keys(ini)
    weights = Weights()
    built: dict[str, Built] = {}
    activations: dict[str, Function | None] = {}
    for name, cell in plan.cells.items():
        kind = plan.kinds[name]
        _check_model(ini, cell)
        site = _site(plan, name, built, shape, weights)
        built[name] = BUILDERS[kind](site)
        _check_sample(cell, built[name].shape)
        activations[name] = read_activation(cell) if kind in ACTIVATED else None
        cell.check_all_read(kind)
        _supply(ini, site, built[name].shape)
    check_configs(ini, plan.cells.values())
    quantizers = _quantizers(ini, plan) if attach else {}
    net = _network(plan, built, activations, shape)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for one in built.values():
        if one.fill is not None:
            one.fill(generator)
    if quantizers:
        wrap(net).attach(quantizers)
    return net


def _quantizers(ini: IniFile, plan: Plan) -> dict[str, PruneCell]:
    """The PruneCell of each pruned cell."""
    found = {}
    for name, one in build_quantizers(ini).items():
        if plan.kinds.get(name) in WITH_WEIGHTS:
            found[name] = one
        # A QWeight from a config section is meant for other cells that share the section.
        elif "QWeight" in ini[name]:
            words = ", ".join(WITH_WEIGHTS)
            raise ini[name].raw("QWeight").error(f"only cells with weights can be pruned: {words}")
    return found


def _site(
    plan: Plan, name: str, built: Mapping[str, Built], shape: Shape, weights: Weights
) -> Site:
    sources = [
        Source(INPUT_NAMES, shape) if source == INPUT else Source((source,), built[source].shape)
        for source in plan.inputs[name]
    ]
    return Site(plan.cells[name], tuple(sources), tuple(plan.readers[name]), weights)


def _check_sample(cell: CellSection, shape: Shape) -> None:
    if shape.numel > MAX_SAMPLE:
        raise cell.error(f"it gives {shape}, more than {MAX_SAMPLE:,} values for one sample")


def _check_model(ini: IniFile, cell: CellSection) -> None:
    """Refuses cells that compute with spikes or in another precision."""
    model = cell.get("Model") or ini[""].get("DefaultModel")
    if model is not None and not model.startswith(("Frame", "Transcode")):
        raise model.error(f"{model} computes with spikes; expected Frame, Frame_CUDA or Transcode")
    kind = cell.get("DataType") or ini[""].get("DefaultDataType")
    if kind is not None and kind.lower() != "float32":
        raise kind.error("networks are built in Float32; convert with net.half() or net.double()")


def _supply(ini: IniFile, site: Site, result: Shape) -> None:
    """Supplies the sizes that other sections refer to, as in PoolDims=[conv9]_OutputsWidth ..."""
    first = site.shapes[0]
    values = {
        "_NbChannels": sum(shape.channels for shape in site.shapes),
        "_ChannelsWidth": first.width,
        "_ChannelsHeight": first.height,
        "_NbOutputs": result.channels,
        "_OutputsWidth": result.width,
        "_OutputsHeight": result.height,
    }
    for key, value in values.items():
        ini.supply(site.cell.name, key, value)


def _network(
    plan: Plan,
    built: Mapping[str, Built],
    activations: Mapping[str, Function | None],
    shape: Shape,
) -> Network:
    kept = frozenset(plan.outputs)
    last_use: dict[str, str] = {}
    for name in plan.cells:
        last_use.update(dict.fromkeys(plan.inputs[name], name))
    steps = [
        Step(
            name,
            plan.inputs[name],
            built[name].flat,
            built[name].joined,
            activations[name],
            tuple(
                source
                for source in dict.fromkeys(plan.inputs[name])
                if last_use[source] == name and source not in kept
            ),
        )
        for name in plan.cells
    ]
    try:
        return Network(
            {name: built[name].module for name in plan.inputs},
            steps,
            input_shape=shape.sizes,
            cell_shapes={name: built[name].shape.sizes for name in plan.inputs},
            output_names=plan.outputs,
        )
    except TakenNameError as error:
        raise plan.cells[error.cell].error(str(error)) from None
