"""state_dict: the entries that a pruned model adds, and what a load does with them."""

from __future__ import annotations

import io
import json
from typing import Any

import prunecell
import pytest
import torch
from prunecell.torch import dense_state_dict, keep_parameters
from saved_forms import edited, in_format_1, values_in, written
from test_attach import TOKENS, Tied
from torch import Tensor, nn
from torch.optim import SGD
from torch_axes import (
    GRADUAL,
    STATIC,
    assert_equal,
    backward,
    clones,
    images,
    kept,
    masks,
    network,
    pruned,
    takes_masks,
    train,
)

ADDED = {"prune_mask", "prune_state"}


def through_a_file(state: dict[str, Tensor]) -> dict[str, Tensor]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def trained(updates: int = 2, **parameters: Any) -> tuple[nn.Sequential, prunecell.torch.Model]:
    net = network()
    model = pruned(net, **(GRADUAL | parameters))
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(updates):
        train(net, optimizer, 1)
        model.update(4)
    return net, model


@pytest.mark.parametrize("in_place", [True, False])
def test_a_state_keeps_its_keys_and_gains_tensors_only(in_place: bool) -> None:
    keys = set(network().state_dict())
    state = trained(in_place=in_place)[0].state_dict()
    added = ADDED if in_place else ADDED | {"prune_dense"}
    assert set(state) - keys == {f"{cell}.{key}" for cell in "03" for key in added}
    assert keys < set(state)
    for key, value in state.items():
        assert type(value) is Tensor, key
        assert value.is_contiguous(), key
        assert not value.requires_grad, key
    assert state["0.prune_mask"].dtype == torch.uint8
    assert state["0.prune_mask"].shape == (4, 4)  # 27 weights a row
    assert state["0.prune_state"].dtype == torch.uint8
    assert state["0.prune_state"].shape == (1024,)
    values = json.loads(bytes(state["0.prune_state"].tolist()))
    assert (next(iter(values)), values["format"]) == ("format", 2)
    assert values["threshold"] == GRADUAL["threshold"]


@pytest.mark.parametrize("filler", ["IterNonStruct", "Random", "None"])
@pytest.mark.parametrize("in_place", [True, False])
def test_a_fresh_attached_model_takes_over_everything(filler: str, in_place: bool) -> None:
    given = {"prune_filler": filler, "in_place": in_place}
    net, model = trained(**given)
    fresh, second = trained(updates=0, **given)
    fresh.load_state_dict(through_a_file(net.state_dict()))
    assert_equal(fresh.state_dict(), net.state_dict())
    for old, new in zip(masks(model), masks(second), strict=True):
        assert torch.equal(old, new)
    assert repr(second.figures()) == repr(model.figures())
    inputs = images()
    assert torch.equal(net(inputs), fresh(inputs))


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("options", [{}, {"assign": True}], ids=str)
def test_a_state_that_was_filled_in_place_loads(in_place: bool, options: Any) -> None:
    """Loads like distributed checkpoints: the state_dict has the weights of the model itself."""
    net, model = trained(in_place=in_place)
    saved = clones(net.state_dict())
    fresh, second = trained(updates=0, in_place=in_place)
    state = fresh.state_dict()
    for key, value in state.items():
        value.copy_(saved[key])
    fresh.load_state_dict(state, **options)
    assert_equal(fresh.state_dict(), saved)
    assert repr(second.figures()) == repr(model.figures())


def test_the_dense_state_loads_strictly_into_an_unpruned_model() -> None:
    net, _ = trained(in_place=False)
    plain = network()
    plain.load_state_dict(through_a_file(dense_state_dict(net)))
    inputs = images()
    assert torch.equal(net(inputs), plain(inputs))
    assert_equal(dense_state_dict(prunecell.torch.wrap(net)), plain.state_dict())


def test_the_dense_state_of_a_module_under_two_names_is_dense_under_both() -> None:
    def twice() -> nn.Sequential:
        layer = nn.Linear(4, 4)
        return nn.Sequential(layer, layer)

    net = twice()
    pruned(net)
    twice().load_state_dict(dense_state_dict(net))
    net.load_state_dict(net.state_dict())


@takes_masks
@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("assign", [True, False])
def test_a_dense_checkpoint_is_pruned_anew_before_the_first_update(
    assign: bool, in_place: bool
) -> None:
    pretrained = network().state_dict()
    expected = network()
    expected.load_state_dict(pretrained)
    expected_model = pruned(expected)

    net = network()
    model = pruned(net, in_place=in_place)
    train(net, SGD(net.parameters(), lr=0.1), 2)
    net.load_state_dict(clones(pretrained), assign=assign)
    model.check()
    assert_equal(dense_state_dict(net), dense_state_dict(expected))
    assert repr(model.figures()) == repr(expected_model.figures())
    backward(net)
    assert not net[3].weight.grad[~kept(model.cells[1])].any()
    train(net, SGD(net.parameters(), lr=0.1, weight_decay=0.1, momentum=0.9), 2)
    model.check()


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("assign", [True, False])
def test_a_dense_checkpoint_gets_the_masks_in_force_after_an_update(
    assign: bool, in_place: bool
) -> None:
    pretrained = network().state_dict()
    net, model = trained(in_place=in_place)
    before = masks(model)
    net.load_state_dict(clones(pretrained), assign=assign)
    for mask, cell in zip(before, model, strict=True):
        assert torch.equal(mask, kept(cell))
    for name, layer, mask in zip(("0", "3"), (net[0], net[3]), before, strict=True):
        assert torch.equal(layer.weight, pretrained[f"{name}.weight"] * mask)


@takes_masks
def test_one_prune_cell_for_all_is_rebuilt_cell_by_cell() -> None:
    net = network()
    pretrained = clones(net.state_dict())
    expected = pruned(net).figures()

    net = network()
    model = prunecell.torch.wrap(net)
    one = prunecell.PruneCell(**STATIC)
    for cell in model:
        cell.quantizer = one
    net.load_state_dict(pretrained)
    assert repr(model.figures()) == repr(expected)


def test_the_user_s_own_mask_stays_when_weights_are_loaded() -> None:
    net = nn.Sequential(nn.Linear(4, 4))
    (cell,) = pruned(net, prune_filler="None")
    cell.quantizer.set_pruned_masks(0, torch.eye(4, dtype=torch.bool).numpy())
    net.load_state_dict({"0.weight": torch.ones(4, 4), "0.bias": torch.ones(4)})
    assert torch.equal(net[0].weight, torch.eye(4))


def test_the_zeros_of_a_loaded_model_are_the_mask_to_fine_tune_with() -> None:
    sparse = dense_state_dict(trained()[0])
    plain = network()
    plain.load_state_dict(sparse)
    later = network()
    for net in (plain, later):
        model = prunecell.torch.wrap(net)
        for cell in model:
            cell.quantizer = prunecell.PruneCell.from_zeros()
        net.load_state_dict(sparse)  # attached before or after loading: the same
        train(net, SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1), 3)
        for name, layer in (("0", net[0]), ("3", net[3])):
            assert torch.equal(layer.weight == 0, sparse[f"{name}.weight"] == 0)


def test_a_part_of_a_model_saves_and_loads_alone() -> None:
    net, _ = trained()
    fresh, second = trained(updates=0)
    fresh[3].load_state_dict(net[3].state_dict())
    assert second.figures()["3"].asked == pytest.approx(0.6)
    assert second.figures()["0"].asked == pytest.approx(0.2)
    second.check()


def test_a_part_of_a_model_loads_a_dense_checkpoint_alone() -> None:
    net, model = trained(updates=1)
    net[3].load_state_dict(network()[3].state_dict())
    model.check()


def test_a_loaded_state_is_copied() -> None:
    net, _ = trained(in_place=False)
    fresh, _ = trained(updates=0, in_place=False)
    state = net.state_dict()
    before = clones(state)
    fresh.load_state_dict(state)
    train(fresh, SGD(fresh.parameters(), lr=0.1), 2)
    assert_equal(state, before)


def test_a_layer_that_is_the_whole_model_loads_its_weights_whole() -> None:
    def made() -> tuple[nn.Module, prunecell.torch.Model]:
        net = nn.Linear(20, 20)
        return net, pruned(net, **GRADUAL)

    (net, model), (fresh, second) = made(), made()
    state = clones(net.state_dict())
    fresh.load_state_dict(state)
    assert_equal(fresh.state_dict(), state)
    for one in (model, second):
        one.update(4)
    assert_equal(fresh.state_dict(), net.state_dict())


@takes_masks
def test_a_weight_is_pruned_when_a_module_without_cell_loads_it_last() -> None:
    net = nn.ModuleDict({"head": nn.Linear(6, 12), "embedding": nn.Embedding(12, 6)})
    net["embedding"].weight = net["head"].weight
    model = prunecell.torch.wrap(net, include="head")
    model.attach({"head": prunecell.PruneCell(**STATIC)})
    net.load_state_dict({key: torch.randn_like(p) for key, p in dense_state_dict(net).items()})
    model.check()


CELLS = [{"embeddings": True}, {"include": "head"}]


@takes_masks
@pytest.mark.parametrize("cells", CELLS, ids=str)
def test_a_dense_checkpoint_of_tied_weights_is_pruned_for_all_holders(
    cells: dict[str, Any],
) -> None:
    net = Tied()
    model = prunecell.torch.wrap(net, **cells)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(prune_mode="Static", prune_filler="IterNonStruct")
    pretrained = Tied().state_dict()
    net.load_state_dict(pretrained)
    model.check()
    net(TOKENS)
    assert torch.equal(
        net.head.weight[net.head.weight != 0], pretrained["head.weight"][net.head.weight != 0]
    )


@takes_masks
def test_tied_weights_that_assign_untied_may_be_tied_again() -> None:
    net = Tied()
    model = pruned(net)
    net.load_state_dict(Tied().state_dict(), assign=True)
    with pytest.raises(prunecell.WrongState, match="tie them again"):
        net(TOKENS)
    net.head.weight = net.embedding.weight
    net(TOKENS)
    model.check()


@takes_masks
def test_an_unfrozen_weight_that_a_load_replaced_gets_masked_gradients_when_compiled() -> None:
    net, model = trained(updates=0)
    net.load_state_dict(network().state_dict(), assign=True)
    torch._dynamo.reset()
    backward(torch.compile(net, backend="eager", fullgraph=True))
    assert not net[3].weight.grad[~kept(model.cells[1])].any()


# Loads that do not fit


def shorten(state: dict[str, Tensor]) -> None:
    state["3.prune_mask"] = state["3.prune_mask"][:2]


def reshape(state: dict[str, Tensor]) -> None:
    state["3.prune_mask"] = state["3.prune_mask"].reshape(8, 5)


def retype(state: dict[str, Tensor]) -> None:
    state["3.prune_mask"] = state["3.prune_mask"].float()


def flip_a_bit(state: dict[str, Tensor]) -> None:
    state["3.prune_mask"][1, 1] ^= 4


def drop_the_mask(state: dict[str, Tensor]) -> None:
    del state["3.prune_mask"]


def drop_the_state(state: dict[str, Tensor]) -> None:
    del state["3.prune_state"]


def truncate_the_state(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = state["3.prune_state"][:70]


def state_in_halves(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = state["3.prune_state"].half()


def state_averaged_with_a_later_one(state: dict[str, Tensor]) -> None:
    """Averages two states like averages of state_dicts that keep the dtypes."""
    later = edited(state["3.prune_state"], counter=4, asked=0.9)
    later = torch.nn.functional.pad(later, (0, 1024 - len(later)), value=ord(" "))
    mean = (state["3.prune_state"].float() + later.float()) / 2
    state["3.prune_state"] = mean.to(torch.uint8)


def a_digit_is_another(state: dict[str, Tensor]) -> None:
    text = bytes(state["3.prune_state"].tolist())
    state["3.prune_state"][text.index(b'"counter":0') + 10] += 2  # still a number


def state_in_a_matrix(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = state["3.prune_state"].reshape(2, -1)


def state_too_long(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = state["3.prune_state"].repeat(65)


def state_of_brackets(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = written("[" * 60000)


def state_of_a_huge_number(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = written('{"format":' + "9" * 60000 + "}")


def state_that_is_a_list(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = written("[2]")


def state_that_is_no_text(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = torch.full_like(state["3.prune_state"], 255)


def state_of_a_newer_release(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = written('{"format": 3}')


def state_without_format(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = edited(state["3.prune_state"], "format")


def state_without_checksum(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = written(json.dumps(values_in(state["3.prune_state"])))


def state_without_seed(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = edited(state["3.prune_state"], "seed")


def value(name: str, value: Any) -> Any:
    def change(state: dict[str, Tensor]) -> None:
        state["3.prune_state"] = edited(state["3.prune_state"], **{name: value})

    change.__name__ = f"{name}_is_{value}"
    return change


def short_numbers(state: dict[str, Tensor]) -> None:
    state["3.prune_state"] = in_format_1(state["3.prune_state"], 7)


def drop_the_dense(state: dict[str, Tensor]) -> None:
    del state["3.prune_dense"]


def shorten_the_dense(state: dict[str, Tensor]) -> None:
    state["3.prune_dense"] = state["3.prune_dense"][:2]


def shorten_the_weight(state: dict[str, Tensor]) -> None:
    state["3.weight"] = state["3.weight"][:2]


def drop_the_weight(state: dict[str, Tensor]) -> None:
    del state["3.weight"]


def leave_the_pruning_alone(state: dict[str, Tensor]) -> None:
    for key in list(state):
        if not key.startswith("3.prune"):
            del state[key]


def leave_the_pruning_out(state: dict[str, Any]) -> None:
    for key in list(state):
        if "prune" in key:
            del state[key]


def no_tensor(name: str) -> Any:
    def change(state: dict[str, Any]) -> None:
        state[f"3.{name}"] = state[f"3.{name}"].tolist()

    change.__name__ = f"{name}_is_no_tensor"
    return change


def no_tensor_in_a_dense_checkpoint(state: dict[str, Any]) -> None:
    leave_the_pruning_out(state)
    state["3.weight"] = 7


def weight_without_values(state: dict[str, Tensor]) -> None:
    state["3.weight"] = state["3.weight"].to("meta")


def field(number: int, value: float) -> Any:
    """Changes a number of a prune_state of format 1."""

    def change(state: dict[str, Tensor]) -> None:
        numbers = in_format_1(state["3.prune_state"])
        (numbers if isinstance(value, int) else numbers.view(torch.float64))[number] = value
        state["3.prune_state"] = numbers

    change.__name__ = f"field_{number}_is_{value}"
    return change


def poison_the_weights(state: dict[str, Tensor]) -> None:
    leave_the_pruning_out(state)
    state["3.weight"] = torch.full_like(state["3.weight"], torch.nan)


DAMAGES = {
    shorten: "3.prune_mask: expected shape",
    reshape: "3.prune_mask: expected shape",
    retype: "'3'",
    flip_a_bit: "'3'.*zeros that were counted",
    drop_the_mask: "'3'.*a mask",
    drop_the_state: "expected 3.prune_state beside it",
    truncate_the_state: "3.prune_state: expected the JSON of a state, got b'.*' of type bytes",
    state_in_halves: r"3.prune_state: expected uint8\[n\] as it was saved, .* got torch.float16",
    state_averaged_with_a_later_one: "3.prune_state: expected the",
    a_digit_is_another: "3.prune_state: expected the bytes that were saved, got others: crc32",
    state_in_a_matrix: r"3.prune_state: expected uint8\[n\] .* got torch.uint8 of shape \(2, 512\)",
    state_too_long: r"3.prune_state: expected uint8\[n\] .* n <= 65536, got .* shape \(66560,\)",
    state_of_brackets: "3.prune_state: expected the JSON of a state, got b'",
    state_of_a_huge_number: "3.prune_state: expected the JSON of a state, got b'",
    state_that_is_a_list: r"3.prune_state: expected the JSON of a state, got b'\[2\]' of type",
    state_that_is_no_text: "3.prune_state: expected the JSON of a state, got b'",
    state_of_a_newer_release: r"3.prune_state\['format'\]: expected 1 or 2, .* got 3; a newer",
    state_without_format: r"3.prune_state\['format'\]: expected an integer, got none",
    state_without_checksum: "3.prune_state: expected the bytes that were saved",
    state_without_seed: r"3.prune_state\['seed'\]: expected an integer from 0 to .*, got none",
    value("format", 1): "3.prune_state: expected int64 for format 1, got uint8",
    value("law", "cubic"): r"3.prune_state\['law'\]: expected format, .* alone; a newer prunecell",
    value("prune_mode", "Dynamic"): "'3'.*Identity, Static, Gradual",
    value("prune_mode", 1): r"3.prune_state\['prune_mode'\]: expected a word, got 1 of type int",
    value("in_place", 2): r"3.prune_state\['in_place'\]: expected True or False, got 2",
    value("custom", "yes"): r"3.prune_state\['custom'\]: expected True or False, got 'yes'",
    value("level", -1): "'3'.*level: expected 0 or more, got -1",
    value("asked", float("nan")): "'3'.*asked: expected a number from 0 to 1, got nan",
    value("asked", 1.5): "'3'.*asked: expected a number from 0 to 1, got 1.5",
    value("current", "high"): r"3.prune_state\['current'\]: expected a number, got 'high'",
    value("rises", 2**64): r"3.prune_state\['rises'\]: expected an integer, got",
    value("counter", -1): "'3'.*counter: expected 0 or more, got -1",
    value("zeros", 0): "'3'.*zeros that were counted",
    short_numbers: r"3.prune_state: expected int64\[19\], got torch.int64 of shape \(7,\)",
    field(0, 7): "3.prune_state: expected format 1 of an int64 state, got 7",
    field(1, 9): "3.prune_state.*known mode",
    drop_the_dense: "3.prune_dense: expected shape",
    shorten_the_dense: "3.prune_dense: expected shape",
    poison_the_weights: "'3'.*NaN",
    shorten_the_weight: r"3.weight: expected shape \(5, 64\), got \(2, 64\)",
    drop_the_weight: "3.weight: expected the weights of 3.prune_state beside it, got none",
    leave_the_pruning_alone: "3.weight: expected the weights of 3.prune_state beside it, got none",
    no_tensor("weight"): "3.weight: expected a tensor with values, got .* of type list",
    no_tensor("prune_mask"): "3.prune_mask: expected a tensor with values, got .* of type list",
    no_tensor("prune_state"): "3.prune_state: expected a tensor with values, got .* of type list",
    no_tensor("prune_dense"): "3.prune_dense: expected a tensor with values, got .* of type list",
    no_tensor_in_a_dense_checkpoint: "3.weight: expected a tensor with values, got 7 of type int",
    weight_without_values: "3.weight: expected a tensor with values, got a meta tensor",
    field(8, 2): "3.prune_state: expected in_place from 0 to 1, got in_place 2",
    field(14, -1): "3.prune_state: expected level from 0 to .*, got level -1",
    field(15, float("nan")): "3.prune_state: expected asked from 0 to 1, got asked nan",
    field(15, 1.5): "3.prune_state: expected asked from 0 to 1, got asked 1.5",
}


@pytest.mark.parametrize("options", [{}, {"strict": False}, {"assign": True}], ids=str)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_load_that_does_not_fit_changes_nothing_anywhere(damage: Any, options: Any) -> None:
    net, _ = trained(updates=0, in_place=False)
    state = clones(trained(updates=0, in_place=False)[0].state_dict())
    damage(state)
    before = clones(net.state_dict())
    with pytest.raises(prunecell.Error, match=f"(?s){DAMAGES[damage]}"):
        net.load_state_dict(state, **options)
    assert_equal(net.state_dict(), before)


def test_other_parameters_are_named_and_change_nothing() -> None:
    net, _ = trained()
    other, _ = trained(updates=0, gamma=0.1, threshold=0.9)
    before = clones(other.state_dict())
    with pytest.raises(prunecell.InvalidArgument, match=r"(?s)'0'.*threshold.*gamma.*keep_param"):
        other.load_state_dict(net.state_dict())
    assert_equal(other.state_dict(), before)


def test_one_s_own_parameters_are_kept_on_request() -> None:
    net, model = trained()
    other, second = trained(updates=0, gamma=0.1, threshold=0.9)
    with keep_parameters():
        other.load_state_dict(net.state_dict())
    for old, new in zip(masks(model), masks(second), strict=True):
        assert torch.equal(old, new)
    second.update(4)
    assert all(f.asked == pytest.approx(0.7) for f in second.figures().values())
    with pytest.raises(prunecell.InvalidArgument):
        other.load_state_dict(net.state_dict())  # outside, the rule holds again


def test_in_place_may_be_given_up_or_taken_up_with_one_s_own_parameters() -> None:
    for saved, own in ((True, False), (False, True)):
        net, model = trained(in_place=saved)
        other, second = trained(updates=0, in_place=own)
        with keep_parameters():
            other.load_state_dict(net.state_dict())
        second.check()
        assert torch.equal(other[3].weight, net[3].weight)
        second.update(4)
        assert second.figures()["3"].asked == pytest.approx(0.8)
        model.check()


@pytest.mark.parametrize("in_place", [True, False])
def test_a_wrong_weight_shape_is_reported_by_torch(in_place: bool) -> None:
    net, model = trained(updates=0, in_place=in_place)
    before = clones(net.state_dict())
    with pytest.raises(RuntimeError, match=r"size mismatch for 3\.weight"):
        net.load_state_dict({"3.weight": torch.ones(2, 2)}, strict=False)
    model.check()
    assert_equal(net.state_dict(), before)


@pytest.mark.parametrize("cells", CELLS, ids=str)
@pytest.mark.parametrize("missing", ["head.weight", "embedding.weight"])
def test_a_tied_weight_may_come_under_one_of_its_names(missing: str, cells: dict[str, Any]) -> None:
    def tied() -> tuple[Tied, prunecell.torch.Model]:
        net = Tied()
        model = prunecell.torch.wrap(net, **cells)
        for cell in model:
            cell.quantizer = prunecell.PruneCell(**GRADUAL)
        return net, model

    net, model = tied()
    model.update(4)
    state = clones(net.state_dict())
    fresh, second = tied()
    del state[missing]
    fresh.load_state_dict(state, strict=False)
    assert_equal(fresh.state_dict(), net.state_dict())
    second.check()


def test_a_part_of_a_model_refuses_its_pruning_without_its_weight() -> None:
    net, model = trained(updates=0)
    state = trained()[0][3].state_dict()
    before = clones(net.state_dict())
    del state["weight"]
    with pytest.raises(prunecell.InvalidArgument, match=r"^weight: expected the weights of prune"):
        net[3].load_state_dict(state, strict=False)
    assert_equal(net.state_dict(), before)
    model.check()


def test_a_prune_cell_with_a_failed_attach_behind_it_saves_and_loads() -> None:
    net = network()
    first, second = prunecell.torch.wrap(net)
    one = prunecell.PruneCell(**GRADUAL)
    good = net[0].weight.detach().clone()
    with torch.no_grad():
        net[0].weight.fill_(torch.nan)
    with pytest.raises(prunecell.UnreachableThreshold):
        first.quantizer = one
    with torch.no_grad():
        net[0].weight.copy_(good)
    second.quantizer = one
    net.load_state_dict(net.state_dict())
