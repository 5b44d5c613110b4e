"""Weights that stay packed in memory."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import prunecell
import pytest
import torch
from torch import Tensor, nn

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64]
LAYERS = {
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3), (2, 4, 9)),
    "Conv2d": (lambda: nn.Conv2d(4, 6, 3), (2, 4, 9, 9)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 6, 3), (2, 4, 5, 5)),
    "Linear": (lambda: nn.Linear(33, 17), (5, 33)),
}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 30), nn.Linear(30, 10)
    )


def pruned(net: nn.Module, threshold: float = 0.9) -> prunecell.torch.Model:
    model = prunecell.torch.wrap(net, embeddings=True)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Static", prune_filler="IterNonStruct", threshold=threshold, delta=1e-4
        )
    return model


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(3, 1, 8, 8)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layer", LAYERS)
def test_outputs_equal_those_of_the_dense_layer_bit_for_bit(layer: str, dtype: torch.dtype) -> None:
    make, shape = LAYERS[layer]
    torch.manual_seed(0)
    net = nn.Sequential(make().to(dtype))
    pruned(net, 0.7)
    inputs = torch.randn(shape).to(dtype)
    with torch.no_grad():
        expected = net(inputs)
        dense, packed = prunecell.torch.compress(net)["0"]
        assert torch.equal(net(inputs), expected)
    assert packed < dense
    assert "weight" not in net[0]._parameters


def test_channels_last_weights_keep_their_strides() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3)).to(memory_format=torch.channels_last)
    stride = net[0].weight.stride()
    assert stride != net[0].weight.contiguous().stride()
    pruned(net)
    images = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        expected = net(images)
        prunecell.torch.compress(net)
        assert net[0].weight.stride() == stride
        assert torch.equal(net(images), expected)
    prunecell.torch.decompress(net)
    assert net[0].weight.stride() == stride


def test_minus_zero_and_nan_are_values_to_restore() -> None:
    net = nn.Sequential(nn.Linear(64, 64))
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].weight[3, 5], net[0].weight[7, 9] = -0.0, float("nan")
    before = net[0].weight.detach().clone().view(torch.int32)
    prunecell.torch.compress(net)
    prunecell.torch.decompress(net)
    assert torch.equal(before, net[0].weight.detach().view(torch.int32))


def test_a_weight_that_would_not_shrink_stays_dense(images: Tensor) -> None:
    net = network()
    assert prunecell.torch.compress(net) == {}
    net(images).sum().backward()


def test_decompress_gives_the_same_parameters_and_values_back() -> None:
    net = network()
    model = pruned(net)
    parameters = dict(net.named_parameters())
    values = {name: p.detach().clone() for name, p in parameters.items()}
    kinds = [type(module) for module in net.modules()]
    prunecell.torch.compress(model)
    prunecell.torch.decompress(model)
    after = dict(net.named_parameters())
    assert list(after) == list(parameters)
    assert all(after[name] is parameters[name] for name in parameters)
    assert all(torch.equal(after[name], values[name]) for name in parameters)
    assert [type(module) for module in net.modules()] == kinds
    assert not list(net.buffers())


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("packing", [torch.no_grad, torch.inference_mode])
def test_decompressing_in_inference_mode_is_no_obstacle_to_training(
    packing: Any, in_place: bool, images: Tensor
) -> None:
    net = network()
    model = prunecell.torch.wrap(net)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Static", prune_filler="IterNonStruct", threshold=0.9, in_place=in_place
        )
    before = net[3].weight.detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    with packing():
        prunecell.torch.compress(net)
    with torch.inference_mode():
        net(images)
        prunecell.torch.decompress(net)
    assert torch.equal(net[3].weight, before)
    for _ in range(2):
        optimizer.zero_grad()
        net(images).square().sum().backward()
        optimizer.step()
    model.check()
    assert not torch.equal(net[3].weight, before)


def test_a_forward_with_gradients_raises(images: Tensor) -> None:
    net = network()
    pruned(net)
    prunecell.torch.compress(net)
    with pytest.raises(prunecell.WrongState, match="no_grad"):
        net(images)


def test_schedule_and_hooks_rest_and_go_on_after_decompressing(images: Tensor) -> None:
    net = network()
    model = prunecell.torch.wrap(net)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Gradual", prune_filler="IterNonStruct", start=0.5, gamma=0.2, threshold=0.9
        )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    prunecell.torch.compress(net)
    with pytest.raises(prunecell.WrongState, match="decompress"):
        model.end_epoch()
    optimizer.step()  # nothing to do: gradients were dropped
    prunecell.torch.decompress(net)
    before = net[3].weight.detach().clone()
    model.end_epoch()
    net(images).square().sum().backward()
    optimizer.step()
    model.check()
    assert all(f.asked == pytest.approx(0.7) for f in model.figures().values())
    assert not torch.equal(before, net[3].weight)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_quantizer_of_a_compressed_model_refuses_masks_and_states_unchanged(
    in_place: bool,
) -> None:
    net = nn.Sequential(nn.Linear(30, 30))
    (cell,) = prunecell.torch.wrap(net)
    one = cell.quantizer = prunecell.PruneCell(
        prune_mode="Gradual", prune_filler="IterNonStruct", threshold=0.9, in_place=in_place
    )
    early = one.state_dict()
    for _ in range(12):
        one.end_epoch()
    before, figures = one.get_pruned_masks(0).copy(), repr(one.figures(0))
    prunecell.torch.compress(net)
    with pytest.raises(prunecell.WrongState, match="'0': the model is compressed"):
        one.set_pruned_masks(0, np.ones((30, 30), dtype=bool))
    with pytest.raises(prunecell.WrongState, match="'0': the model is compressed"):
        one.load_state_dict(early)
    assert one.get_pruned_masks(0) == before
    assert repr(one.figures(0)) == figures
    assert one.rises > 0


def test_state_dict_of_a_compressed_model_is_dense_and_loading_is_refused() -> None:
    net = network()
    expected = {k: v.clone() for k, v in prunecell.torch.dense_state_dict(pruned(net)).items()}
    prunecell.torch.compress(net)
    state = net.state_dict()
    assert set(state) == set(expected)
    assert all(torch.equal(state[key], expected[key]) for key in expected)
    with pytest.raises(prunecell.WrongState, match="decompress"):
        net.load_state_dict(expected)
    with pytest.raises(prunecell.WrongState, match="decompress"):
        copy.deepcopy(net)
    with pytest.raises(prunecell.WrongState, match="already"):
        prunecell.torch.compress(net)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embedding(tokens))


def test_a_shared_weight_is_packed_once() -> None:
    net, tokens = Tied(), torch.tensor([1, 7, 49])
    pruned(net)
    with torch.no_grad():
        expected = net(tokens)
        assert list(prunecell.torch.compress(net)) == ["embedding"]
        assert torch.equal(net(tokens), expected)
    assert net.head.weight_packed is net.embedding.weight_packed
    prunecell.torch.decompress(net)
    assert net.head.weight is net.embedding.weight


class Head(nn.Module):
    """A module without a cell that holds the weight of a cell."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs @ self.weight.T


def held_by_a_head() -> nn.Module:
    net = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16))
    return net.append(Head(net[0].weight))


def held_under_another_name() -> nn.Module:
    net = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16))
    net[1].register_parameter("twin", net[0].weight)
    return net


@pytest.mark.parametrize("make", [held_by_a_head, held_under_another_name])
def test_a_weight_that_is_no_cell_s_alone_stays_dense(make: Any) -> None:
    net = make()
    pruned(net)
    inputs, state = torch.randn(3, 16), prunecell.torch.dense_state_dict(net)
    with torch.no_grad():
        expected = net(inputs)
        assert list(prunecell.torch.compress(net)) == ["1"]
        assert torch.equal(net(inputs), expected)
    compressed = prunecell.torch.dense_state_dict(net)
    assert set(compressed) == set(state)
    assert all(torch.equal(compressed[key], state[key]) for key in state)


def test_two_weights_in_one_operation_do_not_share_a_buffer() -> None:
    net = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
    pruned(net, 0.5)
    with torch.no_grad():
        expected = net[0].weight @ net[1].weight
        prunecell.torch.compress(net)
        assert torch.equal(net[0].weight @ net[1].weight, expected)


def transposed(net: nn.ModuleList) -> tuple[Tensor, Tensor]:
    return net[0].weight.T, net[1].weight.T


def in_chunks(net: nn.ModuleList) -> tuple[Tensor, Tensor]:
    return net[0].weight.chunk(2)[1], net[1].weight


def a_row(net: nn.ModuleList) -> tuple[Tensor, Tensor]:
    return net[0].weight[3], net[1].weight


def as_integers(net: nn.ModuleList) -> tuple[Tensor, Tensor]:
    return net[0].weight.view(torch.uint8), net[1].weight


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("views", [transposed, in_chunks, a_row, as_integers])
def test_a_view_of_a_weight_keeps_its_values(views: Any, mode: Any, dtype: torch.dtype) -> None:
    net = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)]).to(dtype)
    pruned(net, 0.7)
    with mode():
        expected = [view.clone() for view in views(net)]
        prunecell.torch.compress(net)
        for view, values in zip(views(net), expected, strict=True):
            assert torch.equal(view, values)


def test_a_view_that_another_thread_got_keeps_its_values() -> None:
    net = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
    pruned(net, 0.7)
    kept: list[Tensor] = []
    with torch.no_grad():
        expected = net[0].weight.T.clone()
        prunecell.torch.compress(net)
        kept.append(net[0].weight.T)
        other = threading.Thread(target=lambda: kept.append(kept.pop()[:]))
        other.start()
        other.join()
        assert net[1].weight.shape == (8, 8)
        assert torch.equal(kept[0], expected)


def test_one_buffer_serves_all_layers() -> None:
    net = nn.Sequential(*(nn.Linear(64, 64) for _ in range(4)))
    pruned(net)
    prunecell.torch.compress(net)
    with torch.no_grad():
        addresses = {layer.weight.data_ptr() for layer in net}
    assert len(addresses) == 1


def test_threads_have_buffers_of_their_own() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Linear(64, 64) for _ in range(6)))
    pruned(net)
    inputs = torch.randn(8, 64)
    with torch.no_grad():
        expected = net(inputs)
    prunecell.torch.compress(net)
    wrong: list[int] = []

    def run() -> None:
        with torch.no_grad():
            wrong.extend(i for i in range(50) if not torch.equal(net(inputs), expected))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_transformer_layer_gives_the_same_outputs() -> None:
    torch.manual_seed(0)
    net = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval()
    pruned(net)
    inputs = torch.randn(2, 5, 32)
    with torch.no_grad():
        expected = net(inputs)
        prunecell.torch.compress(net)
        assert torch.equal(net(inputs), expected)


def test_packed_values_follow_half(images: Tensor) -> None:
    net = network()
    pruned(net)
    reference = copy.deepcopy(net).half()
    prunecell.torch.compress(net)
    net.half()
    with torch.no_grad():
        assert torch.equal(net(images.half()), reference(images.half()))
    prunecell.torch.decompress(net)
    assert torch.equal(net[3].weight, reference[3].weight)


def test_weights_that_are_computed_from_others_stay_as_they_are() -> None:
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), nn.Linear(8, 8))
    prunecell.torch.wrap(net[1]).cells[0].quantizer = prunecell.PruneCell(
        prune_mode="Static", prune_filler="IterNonStruct", threshold=0.9
    )
    inputs = torch.randn(3, 8)
    with torch.no_grad():
        expected = net(inputs)
        assert list(prunecell.torch.compress(net)) == ["1"]
        assert torch.equal(net(inputs), expected)
