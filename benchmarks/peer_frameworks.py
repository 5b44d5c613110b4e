"""Peers that prune modules or tensors of a framework, driven as their documentation says."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from peer import DELTA, SHAPE, THRESHOLD, Job, Weights
from torch import nn
from torch.nn.utils import prune


def layer(weights: Weights) -> nn.Linear:
    """A layer with a copy of the weights."""
    made = nn.Linear(SHAPE[1], SHAPE[0], bias=False)
    made.weight.data.copy_(torch.from_numpy(weights))
    return made


class Network(nn.Module):
    """A network of one layer; NNCF cannot trace a `Sequential`."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.layer = layer(weights)

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x)


def layer_mask(made: nn.Module) -> Any:
    return made.weight_mask.numpy() != 0


def l1_unstructured(weights: Weights, *_: Any) -> Job:
    return Job(
        lambda made: prune.l1_unstructured(made, "weight", THRESHOLD),
        kept=layer_mask,
        prepare=lambda: (layer(weights),),
    )


def random_unstructured(weights: Weights, *_: Any) -> Job:
    return Job(
        lambda made: prune.random_unstructured(made, "weight", THRESHOLD),
        kept=layer_mask,
        prepare=lambda: (layer(weights),),
        random=True,
    )


def global_unstructured(weights: Weights, *_: Any) -> Job:
    def work(made: nn.Module) -> nn.Module:
        prune.global_unstructured([(made, "weight")], prune.L1Unstructured, amount=THRESHOLD)
        return made

    return Job(work, kept=layer_mask, prepare=lambda: (layer(weights),))


def weight_norm_sparsifier(weights: Weights, *_: Any) -> Job:
    """In blocks of one weight: other blocks would be another question."""
    from torch.ao.pruning import WeightNormSparsifier

    def prepare() -> tuple[Any, ...]:
        model = nn.Sequential(layer(weights))
        sparsifier = WeightNormSparsifier(THRESHOLD, sparse_block_shape=(1, 1), norm=1)
        sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
        return model, sparsifier

    def work(model: Any, sparsifier: Any) -> Any:
        sparsifier.step()
        return model

    return Job(
        work,
        kept=lambda model: model[0].parametrizations.weight[0].mask.numpy() != 0,
        prepare=prepare,
    )


def coremltools(weights: Weights, *_: Any) -> Job:
    from coremltools.optimize.torch.pruning import MagnitudePruner, MagnitudePrunerConfig

    def prepare() -> tuple[Any, ...]:
        model = nn.Sequential(layer(weights))
        scheduler = {"update_steps": [1]}
        config = {"scheduler": scheduler, "initial_sparsity": 0.0, "target_sparsity": THRESHOLD}
        pruner = MagnitudePruner(model, MagnitudePrunerConfig.from_dict({"global_config": config}))
        return pruner.prepare(inplace=True), pruner

    def work(model: Any, pruner: Any) -> Any:
        pruner.step()
        return model

    return Job(work, kept=lambda model: layer_mask(model[0]), prepare=prepare)


def nncf(weights: Weights, *_: Any) -> Job:
    """The update of the masks; tracing of the model, a tenth of a second, is not timed."""
    import nncf
    from nncf.torch.function_hook.pruning.magnitude.algo import (
        get_pruned_modules,
        update_pruning_ratio,
    )

    mode = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_LOCAL
    example = torch.zeros(1, SHAPE[1])
    model = nncf.prune(Network(weights), mode, ratio=0.5, examples_inputs=example)

    def work() -> Any:
        update_pruning_ratio(model, mode, THRESHOLD)
        return next(iter(get_pruned_modules(model).values())).binary_mask

    return Job(work, kept=lambda mask: mask.numpy())


def nni(weights: Weights, *_: Any) -> Job:
    from nni.compression.pruning import LevelPruner

    config = [{"op_types": ["Linear"], "sparse_ratio": THRESHOLD}]
    return Job(
        lambda pruner: pruner.compress()[1],
        kept=lambda masks: masks["0"]["weight"].numpy() != 0,
        prepare=lambda: (LevelPruner(nn.Sequential(layer(weights)), config),),
    )


def llmcompressor(weights: Weights, *_: Any) -> Job:
    """The function that its modifier, which needs a training run, calls for each layer."""
    from llmcompressor.modifiers.pruning.utils.pytorch import (
        PruningMaskCreatorArgs,
        PruningMaskFactory,
    )

    create = PruningMaskFactory.create_mask_creator("unstructured")
    parameter = layer(weights).weight.detach()

    def work() -> Any:
        return create(PruningMaskCreatorArgs(parameter, THRESHOLD, scores=parameter.abs()))

    return Job(work, kept=lambda mask: mask.numpy())


def aidge(weights: Weights, *_: Any) -> Job:
    import aidge_backend_cpu
    import aidge_core
    import aidge_pruning

    def prepare() -> tuple[Any, ...]:
        data = aidge_core.Tensor(weights)
        mask = aidge_core.Tensor(np.ones(SHAPE, np.bool_))
        pruner = aidge_pruning.IterNonStructPruner(DELTA)
        pruner.set_data_and_masks([(data, mask)])
        pruner.set_pruning_rate_scheduler(aidge_pruning.constant_pr(THRESHOLD))
        return pruner, mask

    def work(pruner: Any, mask: Any) -> Any:
        pruner.update_masks()
        return mask

    assert aidge_backend_cpu
    return Job(work, kept=lambda mask: np.array(mask) != 0, prepare=prepare)
