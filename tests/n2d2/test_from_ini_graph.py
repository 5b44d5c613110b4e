"""The network as a module: order, names, outputs, copies, compilation."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import prunecell
import pytest
import torch
from from_ini_setup import EXAMPLE, images, network, text
from prunecell.n2d2 import Network
from prunecell.torch import from_ini
from torch import nn
from torch.nn import functional as F  # noqa: N812

RESIDUAL = (
    "[sum]\nInput=b,c.1\nType=ElemWise\nActivationFunction=Rectifier",
    "[c.2]\nInput=sum,sp\nType=Fc\nNbOutputs=5",
    "[conv]\nType=Conv\nNbOutputs=4\nKernelDims=3 3\nPadding=1",
    "[b] conv\nInput=a",
    "[c.1] conv\nInput=sp\nActivationFunction=Tanh",
    "[a] conv\nInput=sp\nMapping(sp)=1 0 1 1 0 1 1 1 1 0 0 1",
    "[c.2.drop]\nInput=c.2\nType=Dropout",
)


def residual(net: Network, x: torch.Tensor) -> torch.Tensor:
    """The network of RESIDUAL, by hand."""
    weights = {name: list(net.get_submodule(name).parameters()) for name in ("a", "b", "c.1")}
    a = F.conv2d(x, *weights["a"], padding=1)
    b = F.conv2d(a, *weights["b"], padding=1)
    c = F.conv2d(x, *weights["c.1"], padding=1).tanh()
    joined = torch.cat([(b + c).relu().flatten(1), x.flatten(1)], 1)
    return F.linear(joined, *list(net.get_submodule("c.2").parameters()))


def test_cells_may_stand_in_any_order() -> None:
    net = network(*RESIDUAL)
    x = images(net)
    torch.testing.assert_close(net(x), residual(net, x))
    assert net.output_names == ("c.2.drop",)
    # The order is as near to that of the file as possible.
    assert [step.name for step in net._steps] == ["c.1", "a", "b", "sum", "c.2", "c.2.drop"]


def test_names_are_those_of_the_sections_also_with_points() -> None:
    net = network(*RESIDUAL)
    names = [name for name, module in net.named_modules() if not list(module.children())]
    assert set(names) == {"sum", "b", "c.1", "a", "c.2.drop"}
    assert isinstance(net.get_submodule("c.2"), nn.Linear)
    assert set(net.state_dict()) == {
        f"{name}.{part}" for name in ("a", "b", "c.1", "c.2") for part in ("weight", "bias")
    }


def test_a_cell_may_come_after_one_that_begins_with_its_name() -> None:
    net = network("[a.b.c]\nInput=a\nType=Activation", "[a]\nInput=sp\nType=Conv\nNbOutputs=2\n"
                  "KernelSize=3", "[a.b]\nInput=a.b.c\nType=Softmax")  # fmt: skip
    kinds = {name: type(net.get_submodule(name)).__name__ for name in ("a", "a.b", "a.b.c")}
    assert kinds == {"a": "Conv2d", "a.b": "Softmax", "a.b.c": "Activation"}


def test_several_outputs_come_by_name() -> None:
    net = network(
        "[a]\nInput=sp\nType=Activation\nActivationFunction=Tanh",
        "[b]\nInput=a\nType=Activation",
        "[c]\nInput=a\nType=Fc\nNbOutputs=2",
        "[a.Target]",
    )
    assert net.output_names == ("a", "b", "c")
    x = images(net)
    given = net(x)
    assert list(given) == ["a", "b", "c"]
    torch.testing.assert_close(given["a"], x.tanh())
    assert given["c"].shape == (2, 2)


def test_a_target_alone_does_not_change_what_is_given() -> None:
    net = network("[a]\nInput=sp\nType=Softmax", "[a.Target-Top5]\nTopN=5")
    assert isinstance(net(images(net)), torch.Tensor)


def test_values_that_nobody_needs_any_more_are_given_back() -> None:
    net = network(*(f"[x{i}]\nInput={'sp' if i == 0 else f'x{i - 1}'}\nType=Activation\n"
                    "ActivationFunction=Tanh" for i in range(4)))  # fmt: skip
    assert [step.finished for step in net._steps] == [("sp",), ("x0",), ("x1",), ("x2",)]


def test_deepcopy_and_pickle_give_the_same_network() -> None:
    net = network(*RESIDUAL)
    x = images(net)
    expected = net(x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(x), expected)
        with torch.no_grad():
            other.get_parameter("a.weight").zero_()
        assert not torch.equal(other(x), expected)
        assert torch.equal(net(x), expected)


def test_copies_of_a_pruned_network_are_pruned() -> None:
    net = from_ini(EXAMPLE, seed=1)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        figures = prunecell.torch.wrap(other).figures()
        assert list(figures) == ["conv1", "conv2", "fc1", "fc2"]
        assert figures["conv1"].zeros == 45


def test_state_loads_strictly_into_another_network_of_the_same_file() -> None:
    net, x = from_ini(EXAMPLE, seed=1), torch.randn(2, 1, 28, 28)
    other = from_ini(EXAMPLE, seed=2)
    assert not torch.equal(other(x), net(x))
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x), net(x))


def test_it_compiles_as_one_graph() -> None:
    for net in (network(*RESIDUAL), from_ini(EXAMPLE, seed=1).eval()):
        x = images(net)
        compiled = torch.compile(net, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), net(x))
    torch.compiler.reset()


def test_a_module_that_is_replaced_takes_part() -> None:
    net = network("[a.b]\nInput=sp\nType=Fc\nNbOutputs=5")
    net.get_submodule("a").b = nn.Identity()
    assert net(images(net)).shape == (2, 3 * 6 * 8)


def test_it_can_be_compressed() -> None:
    net = from_ini(EXAMPLE, seed=1).eval()
    x = images(net)
    with torch.no_grad():
        expected = net(x)
        prunecell.torch.compress(net)
        assert torch.equal(net(x), expected)


def test_half_precision() -> None:
    net = network(*RESIDUAL).bfloat16()
    assert net(images(net).bfloat16()).dtype == torch.bfloat16


def test_an_input_of_another_size_is_refused() -> None:
    net = network("[a]\nInput=sp\nType=Fc\nNbOutputs=5")
    with pytest.raises(ValueError, match=r"\[batch, 3, 6, 8\], got \[2, 3, 8, 6\]"):
        net(torch.zeros(2, 3, 8, 6))
    with pytest.raises(ValueError, match="expected input of shape"):
        net(torch.zeros(3, 6, 8))


def test_it_says_what_goes_in_and_comes_out() -> None:
    assert "(3, 6, 8) -> a (5,)" in repr(network("[a]\nInput=sp\nType=Fc\nNbOutputs=5"))


def test_an_environment_may_be_called_env(tmp_path: Path) -> None:
    path = tmp_path / "net.ini"
    path.write_text(text("[a]\nInput=env\nType=Fc\nNbOutputs=5").replace("[sp]", "[env]"))
    assert from_ini(path).cell_shapes == {"a": (5,)}
    path.write_text("[sp]\nSize=8 6 3\n[a]\nInput=env\nType=Fc\nNbOutputs=5")
    assert from_ini(str(path)).input_shape == (3, 6, 8)


def test_variables_reach_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.ini"
    path.write_text(text("[a]\nInput=sp\nType=Fc\nNbOutputs=${N}"))
    assert from_ini(path, variables={"N": "7"}).cell_shapes == {"a": (7,)}


def test_sizes_that_only_the_network_knows_can_be_referred_to() -> None:
    net = network(
        "[a]\nInput=sp\nType=Conv\nNbOutputs=4\nKernelDims=4 3",
        "[b]\nInput=a\nType=Pool\nPooling=Average\nMapping.Size=1\nNbOutputs=[a]_NbOutputs\n"
        "PoolDims=[a]_OutputsWidth [a]_OutputsHeight",
        "[c]\nInput=b\nType=Conv\nKernelSize=1\n"
        "NbOutputs=$([a]_ChannelsWidth + [a]_ChannelsHeight + [a]_NbChannels)",
    )
    assert net.cell_shapes == {"a": (4, 4, 5), "b": (4, 1, 1), "c": (17, 1, 1)}
