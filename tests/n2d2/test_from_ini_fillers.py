"""Initial weights and biases."""

from __future__ import annotations

import math

import pytest
import torch
from from_ini_setup import network
from torch import Tensor

# 64 channels of 3 x 3 in, 96 out: fans of 576 and 864, 55296 weights.
CONV = "[a]\nInput=sp\nType=Conv\nNbOutputs=96\nKernelSize=3\n"
FC = "[a]\nInput=sp\nType=Fc\nNbOutputs=300\n"


def weight(cells: str, channels: int = 64) -> Tensor:
    return network(cells, channels=channels).get_parameter("a.weight").detach()


def assert_normal(values: Tensor, mean: float, std: float) -> None:
    noise = std / math.sqrt(values.numel())
    assert abs(values.mean() - mean) < 5 * noise
    assert abs(values.std() / std - 1) < 5 / math.sqrt(2 * values.numel())
    # A third of a normal distribution lies beyond one deviation, of a uniform one 42 %.
    assert abs(((values - mean).abs() > std).float().mean() - 0.3173) < 0.01


def assert_uniform(values: Tensor, low: float, high: float) -> None:
    assert low <= values.min() < low + 0.001 * (high - low)
    assert high - 0.001 * (high - low) < values.max() <= high
    shares = torch.histc(values, 10, low, high) / values.numel()
    assert (shares - 0.1).abs().max() < 0.01


@pytest.mark.parametrize(
    ("lines", "mean", "std"),
    [
        ("", 0, 0.05),
        ("WeightsFiller=NormalFiller", 0, 1),
        ("WeightsFiller=NormalFiller\nWeightsFiller.Mean=2\nWeightsFiller.StdDev=0.5", 2, 0.5),
        ("WeightsFiller=HeFiller", 0, math.sqrt(2 / 576)),
        ("WeightsFiller=HeFiller\nWeightsFiller.VarianceNorm=FanOut", 0, math.sqrt(2 / 864)),
        ("WeightsFiller=HeFiller\nWeightsFiller.VarianceNorm=Average", 0, math.sqrt(2 / 720)),
        ("WeightsFiller=HeFiller\nWeightsFiller.Scaling=0.5", 0, math.sqrt(2 / 576) / 2),
        ("WeightsFiller=XavierFiller\nWeightsFiller.Distribution=Normal", 0, math.sqrt(1 / 576)),
    ],
)
def test_normal_fillers(lines: str, mean: float, std: float) -> None:
    assert_normal(weight(CONV + lines), mean, std)


@pytest.mark.parametrize(
    ("lines", "low", "high"),
    [
        ("WeightsFiller=UniformFiller", 0, 1),
        ("WeightsFiller=UniformFiller\nWeightsFiller.Min=-3\nWeightsFiller.Max=1", -3, 1),
        ("WeightsFiller=XavierFiller", -math.sqrt(3 / 576), math.sqrt(3 / 576)),
        ("WeightsFiller=XavierFiller\nWeightsFiller.VarianceNorm=FanOut\nWeightsFiller.Scaling=2",
         -2 * math.sqrt(3 / 864), 2 * math.sqrt(3 / 864)),
    ],
)  # fmt: skip
def test_uniform_fillers(lines: str, low: float, high: float) -> None:
    assert_uniform(weight(CONV + lines), low, high)


def test_constant_fillers() -> None:
    assert (weight(CONV + "WeightsFiller=ConstantFiller\nWeightsFiller.Value=0.25") == 0.25).all()
    assert (weight(CONV + "WeightsFiller=ConstantFiller") == 0).all()
    assert (weight(CONV + "WeightsFiller=HeFiller\nWeightsFiller.Scaling=0") == 0).all()


def test_fans_of_fc() -> None:
    assert_normal(weight(FC + "WeightsFiller=HeFiller", 8), 0, math.sqrt(2 / (8 * 48)))
    lines = FC + "WeightsFiller=HeFiller\nWeightsFiller.VarianceNorm=FanOut"
    assert_normal(weight(lines, 8), 0, math.sqrt(2 / 300))


def test_fans_of_deconv_count_inputs_as_those_of_conv() -> None:
    assert_normal(
        weight(CONV.replace("Conv", "Deconv") + "WeightsFiller=HeFiller"), 0, math.sqrt(2 / 576)
    )


def test_fans_count_the_channels_of_a_group() -> None:
    lines = CONV.replace("=96", "=2048") + "WeightsFiller=HeFiller\nMapping.ChannelsPerGroup=4"
    assert_normal(weight(lines), 0, math.sqrt(2 / 36))


def test_fans_count_each_input_by_itself() -> None:
    cells = (
        "[p]\nInput=sp\nType=Activation",
        "[q]\nInput=sp\nType=Conv\nNbOutputs=16\nKernelSize=1",
        "[a]\nInput=p,q\nType=Conv\nNbOutputs=512\nKernelSize=3\nWeightsFiller=HeFiller",
    )
    values = network(*cells, channels=8).get_parameter("a.weight").detach()
    assert_normal(values[:, :8], 0, math.sqrt(2 / 72))
    assert_normal(values[:, 8:], 0, math.sqrt(2 / 144))


def test_fans_count_the_groups_of_each_input_by_itself() -> None:
    cells = (
        "[p]\nInput=sp\nType=Activation",
        "[q]\nInput=sp\nType=Activation",
        "[a]\nInput=p,q\nType=Conv\nNbOutputs=512\nKernelSize=3\nWeightsFiller=HeFiller\n"
        "Mapping.NbGroups=2",
    )
    values = network(*cells, channels=8).get_parameter("a.weight").detach()
    assert_normal(values[values != 0], 0, math.sqrt(2 / 36))
    assert (values[:256, 4:8] == 0).all()
    assert (values[256:, 12:] != 0).all()


def test_bias() -> None:
    fc = FC.replace("=300", "=20000") + "WeightsFiller=ConstantFiller\n"
    lines = "BiasFiller=NormalFiller\nBiasFiller.Mean=1\nBiasFiller.StdDev=0.1"
    bias = network(fc + lines, channels=1, width=1, height=1).get_parameter("a.bias").detach()
    assert_normal(bias, 1, 0.1)
    bias = network(fc, channels=1, width=1, height=1).get_parameter("a.bias").detach()
    assert_normal(bias, 0, 0.05)
    ones = network(CONV + "BiasFiller=ConstantFiller\nBiasFiller.Value=1").get_parameter("a.bias")
    assert (ones == 1).all()


def test_a_seed_repeats_weights_and_leaves_the_generator_of_torch_alone() -> None:
    before = torch.get_rng_state()
    first, second = weight(CONV), weight(CONV)
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
