"""Connections between outputs and channels."""

from __future__ import annotations

import pytest
import torch
from from_ini_setup import images, network
from prunecell.n2d2 import Network
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

CONV = "[a]\nInput=sp\nType=Conv\nKernelSize=3\n"


def connected(net: Network, name: str = "a") -> list[str]:
    """One row per output: 1 where its value changes with that channel."""
    rows = []
    for output in range(net.cell_shapes[name][0]):
        x = images(net, 1).requires_grad_()
        value: Tensor = net(x)[0, output].sum()
        (gradient,) = torch.autograd.grad(value, x)
        rows.append("".join("01"[int(each.any())] for each in gradient[0]))
    return rows


@pytest.mark.parametrize("kind", ["Conv", "Deconv"])
@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        ("NbOutputs=2", ["1111", "1111"]),
        ("NbOutputs=4\nMapping.ChannelsPerGroup=1", ["1000", "0100", "0010", "0001"]),
        ("NbOutputs=4\nMapping.NbGroups=2", ["1100", "1100", "0011", "0011"]),
        ("NbOutputs=4\nMapping.ChannelsPerGroup=4", ["1111"] * 4),
        # 3 outputs for 2 groups: the last group gets one more.
        ("NbOutputs=3\nMapping.NbGroups=2", ["1100", "0011", "0011"]),
        # One row of the text is one channel.
        ("NbOutputs=2\nMapping(sp)=1 0 0 1 1 1 0 1", ["1010", "0111"]),
        ("NbOutputs=2\nMapping(env)=1 0 0 1 1 1 0 1", ["1010", "0111"]),
        ("NbOutputs=2\nMapping(env)=\\\n1 0 \\\n1 0 \\\n0 1 \\\n0 1", ["1100", "0011"]),
        ("NbOutputs=4\nMapping.Size=1", ["1000", "0100", "0010", "0001"]),
        ("NbOutputs=4\nMapping.Size=2", ["1101", "1110", "0111", "1011"]),
        ("NbOutputs=2\nMapping.SizeY=2\nMapping.StrideY=2", ["1100", "0011"]),
        ("NbOutputs=4\nMapping.Size=1\nMapping.OffsetX=1", ["0001", "1000", "0100", "0010"]),
        # A mapping of one input wins over that of all inputs.
        ("NbOutputs=4\nMapping.Size=1\nMapping.OffsetX=1\nMapping(sp).OffsetX=2",
         ["0010", "0001", "1000", "0100"]),
        ("NbOutputs=2\nMapping.SizeY=0", ["1111", "1111"]),
        ("NbOutputs=3\nMapping.SizeX=2\nMapping.StrideX=2\nMapping.NbIterations=2",
         ["1100", "1000", "0100"]),
    ],
)  # fmt: skip
def test_mapping(kind: str, lines: str, rows: list[str]) -> None:
    net = network(CONV.replace("Conv", kind) + lines, channels=4)
    assert connected(net) == rows


def test_regular_groups_are_groups_of_torch() -> None:
    for mapping in ("Mapping.NbGroups=2", "Mapping(sp)=1 1 0 0 1 1 0 0 0 0 1 1 0 0 1 1"):
        net = network(CONV + "NbOutputs=4\n" + mapping, channels=4)
        weight, bias = net.parameters()
        assert weight.shape == (4, 2, 3, 3)
        x = images(net)
        torch.testing.assert_close(net(x), F.conv2d(x, weight, bias, groups=2))


@pytest.mark.parametrize("kind", ["Conv", "Deconv"])
def test_missing_kernels_are_zero_and_stay_so(kind: str) -> None:
    lines = CONV.replace("Conv", kind) + "NbOutputs=2\nMapping(sp)=1 0 0 1 1 1 0 1"
    net = network(lines, channels=4)
    missing = ~torch.tensor([[1, 0, 1, 0], [0, 1, 1, 1]]).bool()
    missing = missing.T if kind == "Deconv" else missing
    weight = net.get_parameter("a.weight")
    assert (weight[missing] == 0).all()
    assert (weight[~missing] != 0).all()
    assert list(net.state_dict()) == ["a.weight", "a.bias"]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        net(images(net)).square().sum().backward()
        optimizer.step()
    assert (weight[missing] == 0).all()
    with torch.no_grad():
        before = net(x := images(net))
        weight[missing] = 7  # as a checkpoint from elsewhere might
        assert torch.equal(net(x), before)


TWO = (
    "[p]\nInput=sp\nType=Activation",
    "[q]\nInput=sp\nType=Activation\nActivationFunction=Tanh",
)


def test_mapping_of_one_input_among_several() -> None:
    net = network(*TWO, "[a]\nInput=p,q\nType=Conv\nNbOutputs=2\nKernelSize=3\n"
                  "Mapping(q)=1 0 1 0 0 1")  # fmt: skip
    kernels = net.get_parameter("a.weight").abs().sum((2, 3)) != 0
    assert kernels.int().tolist() == [[1, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 1]]


def test_pool_over_two_inputs_with_an_offset_each() -> None:
    # The reference's SqueezeNet pools the outputs of two cells like this.
    net = network(*TWO, "[a]\nInput=p,q\nType=Pool\nPoolSize=2\nNbOutputs=6\nMapping.Size=1\n"
                  "Mapping.NbIterations=3\nMapping(q).OffsetX=3")  # fmt: skip
    x = images(net)
    expected = F.max_pool2d(torch.cat([x, x.tanh()], 1), 2, 1)
    torch.testing.assert_close(net(x), expected)
