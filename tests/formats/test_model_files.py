"""Models in files: the state_dict comes back as it was, with each mask stored once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import prunecell
import pytest
from prunecell.formats import PackReader, load, save
from safetensors.numpy import load_file

torch = pytest.importorskip("torch")
nn = torch.nn


def network(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Flatten(), nn.Linear(64, 50)
    return nn.Sequential(*layers, nn.Linear(50, 10)).to(dtype)


def pruned(net: nn.Module, **parameters: Any) -> prunecell.torch.Model:
    rule = {"prune_mode": "Static", "prune_filler": "IterNonStruct", "threshold": 0.8}
    model = prunecell.torch.wrap(net)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(**(rule | parameters))
    return model


def assert_same_state(loaded: dict[str, Any], state: dict[str, Any]) -> None:
    assert list(loaded) == list(state)
    for name, tensor in state.items():
        one = loaded[name]
        assert one.dtype == tensor.dtype and one.shape == tensor.shape, name
        # As bytes: +0 and -0 differ, NaN equals itself.
        assert (
            one.contiguous()
            .reshape(-1)
            .view(torch.uint8)
            .equal(tensor.contiguous().reshape(-1).view(torch.uint8))
        ), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"threshold": 0.3},
        {"prune_filler": "Random"},
        {"prune_mode": "Identity"},
        {"prune_mode": "Gradual", "in_place": False},
    ],
    ids=str,
)
def test_a_state_dict_comes_back_in_every_bit_and_in_order(
    parameters: dict[str, Any], dtype: torch.dtype, tmp_path: Path
) -> None:
    net = network(dtype)
    model = pruned(net, **parameters)
    save(model, tmp_path / "handle")
    save(net, tmp_path / "module")
    save(net.state_dict(), tmp_path / "dict")
    for name in ("handle", "module", "dict"):
        assert_same_state(load(tmp_path / name, framework="torch"), net.state_dict())


def test_a_mask_that_equals_the_bitmask_is_stored_once(tmp_path: Path) -> None:
    net = network()
    pruned(net)
    save(net, tmp_path / "x")
    names = set(load_file(tmp_path / "x"))
    assert "3.weight.bitmask" in names and "3.prune_mask" not in names
    with PackReader(tmp_path / "x") as file:
        assert file.info("3.prune_mask").nbytes == 0
        assert file.info("3.prune_mask").shape == (50, 8)


def test_kept_weights_that_are_zero_do_not_keep_a_mask_from_being_the_bitmask(
    tmp_path: Path,
) -> None:
    net = network()
    pruned(net)
    with torch.no_grad():
        kept = net[3].weight != 0
        net[3].weight[7] = 0  # a whole row, whatever the mask says
    assert kept[7].any()
    save(net, tmp_path / "x")
    assert "3.prune_mask" not in load_file(tmp_path / "x")
    assert_same_state(load(tmp_path / "x", framework="torch"), net.state_dict())


@pytest.mark.parametrize("change", ["revived", "padding", "dtype", "shape"])
def test_a_mask_that_does_not_fit_is_stored_beside(change: str, tmp_path: Path) -> None:
    net = network()
    pruned(net)
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    mask, weight = state["4.prune_mask"], state["4.weight"]  # 50 columns: 6 bits of padding
    if change == "revived":
        weight.view(-1)[(weight == 0).flatten().nonzero()[3]] = 1e-30
    elif change == "padding":
        mask[0, -1] |= 0x80
    elif change == "dtype":
        state["4.prune_mask"] = mask.to(torch.int16)
    else:
        state["4.prune_mask"] = mask.reshape(-1)
    save(state, tmp_path / "x")
    assert "4.prune_mask" in load_file(tmp_path / "x")
    assert_same_state(load(tmp_path / "x", framework="torch"), state)


def test_a_mask_before_its_weight_comes_back_too(tmp_path: Path) -> None:
    net = network()
    pruned(net)
    state = dict(reversed(list(net.state_dict().items())))
    save(state, tmp_path / "x")
    assert_same_state(load(tmp_path / "x", framework="torch"), state)


def test_a_root_module_with_a_weight_of_its_own_is_like_any(tmp_path: Path) -> None:
    net = nn.Linear(64, 50)
    pruned(net)
    save(net, tmp_path / "x")
    assert "prune_mask" not in load_file(tmp_path / "x")
    assert_same_state(load(tmp_path / "x", framework="torch"), net.state_dict())


def test_a_loaded_model_goes_on_as_the_saved_one(tmp_path: Path) -> None:
    rule = {"prune_mode": "Gradual", "stepsize": 4, "gamma": 0.2}
    nets = [network(), network()]
    models = [pruned(net, **rule) for net in nets]
    optimizers = [torch.optim.SGD(net.parameters(), lr=1e-3) for net in nets]
    images = torch.randn(8, 3, 4, 4)

    def train(which: int, steps: int) -> None:
        for _ in range(steps):
            optimizers[which].zero_grad()
            models[which](images).square().sum().backward()
            optimizers[which].step()
            models[which].update(3)

    train(0, 3)
    save(models[0], tmp_path / "x")
    nets[1].load_state_dict(load(tmp_path / "x", framework="torch"))
    train(0, 3)
    train(1, 3)
    assert_same_state(nets[1].state_dict(), nets[0].state_dict())


def test_numpy_arrays_of_a_saved_model_are_its_weights(tmp_path: Path) -> None:
    net = network()
    pruned(net)
    save(net, tmp_path / "x")
    assert np.array_equal(load(tmp_path / "x")["3.weight"], net[3].weight.detach().numpy())


def test_a_parameter_that_is_no_weight_is_like_any(tmp_path: Path) -> None:
    net = nn.Sequential(nn.LSTM(30, 50), nn.MultiheadAttention(32, 2))
    pruned(net)
    save(net, tmp_path / "x")
    assert not [name for name in load_file(tmp_path / "x") if name.endswith("prune_mask")]
    assert_same_state(load(tmp_path / "x", framework="torch"), net.state_dict())
