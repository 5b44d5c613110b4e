"""Whole files: those of the reference, where they are at hand, and the example."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import prunecell
import pytest
import torch
from from_ini_setup import DATA, EXAMPLE, REFERENCE, fault, images, text
from prunecell import config
from prunecell.config import ConfigError, ConfigWarning, load_ini
from prunecell.n2d2 import Network
from prunecell.n2d2.build import build
from prunecell.torch import from_ini
from torch import nn
from torch.nn import functional as F  # noqa: N812

# Weights of 3 x 3 depthwise and 1 x 1 convolutions, at half width.
_MOBILE = [(16, 32), (32, 64), (64, 64), (64, 128), (128, 128), (128, 256)]
_MOBILE += [(256, 256)] * 5 + [(256, 512), (512, 512)]


def _block(channels: int, filters: int, projected: bool) -> int:
    return 9 * channels * filters + 9 * filters * filters + projected * channels * filters


# File -> input, output, parameters, and what some cells give: all by hand.
BUILT = {
    "LeNet.ini": (
        (1, 32, 32), (10,), 6 * 25 + 16 * 6 * 25 + 120 * 16 * 25 + 84 * 120 + 10 * 84,
        {"conv1": (6, 28, 28), "pool1": (6, 14, 14), "conv2": (16, 10, 10), "conv3": (120, 1, 1)},
    ),
    "mnist24_16c4s2_24c5s2_150_10.ini": (
        (1, 24, 24), (10,), 16 * 16 + 24 * 16 * 25 + 150 * 24 * 16 + 10 * 150,
        {"conv1": (16, 11, 11), "conv2": (24, 4, 4)},
    ),
    "cifar-10.ini": (
        (3, 32, 32), (10,),
        9 * (3 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128) + 3 * 2 * (32 + 64 + 128)
        + 10 * 128 * 16 + 10,
        {"conv1.1": (32, 32, 32), "pool1": (32, 16, 16), "bn3.2": (128, 8, 8)},
    ),
    "mnist-autoencoder.ini": (
        (1, 31, 31), (1, 31, 31),
        (9 * (8 + 8 * 16 + 16 * 32) + 8 + 16 + 32) + 100 * 32 * 9 + 100
        + 9 * (100 * 32 + 32 * 16 + 16 * 8 + 8) + 32 + 16 + 8 + 1,
        {"conv3": (32, 3, 3), "fc": (100,), "deconv3": (32, 3, 3), "deconv1": (8, 15, 15)},
    ),
    "MobileNet_v1.ini": (
        (3, 160, 160), (1000,),
        27 * 16 + sum(9 * a + a * b for a, b in _MOBILE) + 1000 * 512 + 1000,
        {"conv1": (16, 80, 80), "conv8_3x3_dw": (256, 5, 5), "pool": (512, 1, 1)},
    ),
    "ResNet-18.ini": (
        (3, 224, 224), (1000,),
        49 * 3 * 64 + _block(64, 64, True) + _block(64, 64, False) + _block(64, 128, True)
        + _block(128, 128, False) + _block(128, 256, True) + _block(256, 256, False)
        + _block(256, 512, True) + _block(512, 512, False) + 1000 * 512 + 1000,
        {"conv1": (64, 112, 112), "pool1": (64, 55, 55), "conv5.2_sum": (512, 7, 7)},
    ),
    "VGG16.ini": (
        (3, 224, 224), (1000,),
        9 * (3 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 2 * 256 * 256 + 256 * 512
             + 5 * 512 * 512) + 25088 * 4096 + 4096 * 4096 + 4096 + 4096 * 1000,
        {"pool1": (64, 112, 112), "pool5": (512, 7, 7), "fc6": (4096,)},
    ),
}  # fmt: skip

REFUSED = {
    "LeNet_quant.ini": (52, "ActivationFunction.QuantizationLevels: quantizes"),
    "MobileNet_v1_ONNX.ini": (76, "ONNX: imports an ONNX file"),
    "resnet-18-v1-onnx.ini": (96, "ONNX: imports an ONNX file"),
    "resnet-18v1-LSQ-8b.ini": (157, "ONNX: imports an ONNX file"),
    # It describes transformations of the input, and no input.
    "ResNet-18-BN.ini": (None, "no section [sp] with SizeX and SizeY"),
}


def reference(name: str) -> Path:
    path = REFERENCE / name
    if not path.exists():
        pytest.skip(f"{name}, a file of the reference, is not at hand")
    return path


def parameters(net: nn.Module) -> int:
    return sum(one.numel() for one in net.parameters())


def test_each_file_of_the_reference_is_looked_at() -> None:
    if not REFERENCE.exists():
        pytest.skip("the files of the reference are not at hand")
    assert {path.name for path in REFERENCE.glob("*.ini")} == BUILT.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", BUILT)
def test_files_of_the_reference_are_built(name: str) -> None:
    given, result, number, cells = BUILT[name]
    net = from_ini(reference(name), seed=1).eval()
    assert net.input_shape == given
    assert parameters(net) == number
    assert {cell: net.cell_shapes[cell] for cell in cells} == cells
    with torch.no_grad():
        y = net(images(net, 1))
    assert y.shape == (1, *result)
    assert y.isfinite().all()


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore::prunecell.config.ConfigWarning")
def test_files_of_the_reference_are_refused_with_a_reason(name: str) -> None:
    line, reason = REFUSED[name]
    with pytest.raises(ConfigError) as caught:
        from_ini(reference(name))
    assert reason in str(caught.value)
    assert caught.value.line == line


def test_resnet_with_batch_norm_is_built_once_it_has_an_input(tmp_path: Path) -> None:
    for name in ("ResNet-18-BN.ini", "ResNet_BN-block.ini.tpl"):
        (tmp_path / name).write_bytes(reference(name).read_bytes())
    path = tmp_path / "ResNet-18-BN.ini"
    path.write_text(path.read_text() + "\n[sp]\nSizeX=64\nSizeY=96\nNbChannels=3\n")
    with pytest.warns(ConfigWarning, match="MaxIterations"):
        net = from_ini(path, seed=1).eval()
    assert net.cell_shapes["conv5.2_sum"] == (512, 3, 2)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    normalizations = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert (len(convolutions), len(normalizations)) == (1 + 8 * 2 + 4, 1 + 8 * 2 + 4)
    assert net(images(net, 1)).shape == (1, 1000)


def test_residual_branches_begin_scaled_as_the_file_says() -> None:
    net = from_ini(reference("ResNet-18.ini"), seed=1)
    first = net.get_parameter("conv2.1_3x3_1.weight")
    # He's deviation over a fan-in of 64 x 3 x 3, times 8 to the power of -1/2.
    assert abs(first.std().item() / (math.sqrt(2 / 576) * 8**-0.5) - 1) < 0.02
    assert (net.get_parameter("conv2.1_3x3_2.weight") == 0).all()


def test_lenet_has_the_kernels_of_its_mapping() -> None:
    net = from_ini(reference("LeNet.ini"), seed=1)
    kernels = (net.get_parameter("conv2.weight") != 0).any(3).any(2)
    assert kernels.sum(1).tolist() == [3] * 6 + [4] * 9 + [6]
    assert kernels[0].tolist() == [True] * 3 + [False] * 3


def test_files_of_these_tests_are_no_networks() -> None:
    with pytest.raises(ConfigError, match=r"Mapping\(pool1\): expected 6 rows .* 16 columns"):
        from_ini(DATA / "lenet_prune.ini")


def test_the_example_is_built_and_pruned() -> None:
    net = from_ini(EXAMPLE, seed=1)
    assert net.input_shape == (1, 28, 28)
    assert parameters(net) == 6 * 26 + 16 * 151 + 120 * 401 + 84 * 121 + 10 * 85
    assert net.cell_shapes["pool2"] == (16, 5, 5)
    quantizers = {cell.name: cell.quantizer for cell in prunecell.torch.wrap(net)}
    first = quantizers["conv1"]
    assert first is not None
    assert (first.prune_mode, first.prune_filler) == ("Static", "IterNonStruct")
    assert (first.threshold, first.start, first.gamma) == pytest.approx((0.3, 0.1, 0.1))
    assert quantizers["fc3"] is None
    for name, share in {"conv1": 0.3, "conv2": 0.3, "fc1": 0.3, "fc2": 0.3, "fc3": 0}.items():
        weight = net.get_parameter(f"{name}.weight")
        assert (weight == 0).float().mean().item() == pytest.approx(share, abs=0.01)


def test_without_attach_it_is_the_same_network_unpruned() -> None:
    net, pruned = from_ini(EXAMPLE, seed=1, attach=False), from_ini(EXAMPLE, seed=1)
    assert parameters(net) == parameters(pruned)
    assert len(net.state_dict()) == 10
    kept = pruned.get_parameter("fc1.weight")
    weight = net.get_parameter("fc1.weight")
    assert torch.equal(torch.where(kept != 0, weight, 0), kept)
    assert (weight != 0).all()
    prunecell.torch.wrap(net).attach(load_ini(EXAMPLE))
    for name, value in pruned.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Ten random patterns of 28 x 28 under noise, 20 times each."""
    generator = torch.Generator().manual_seed(3)
    patterns = torch.rand(10, 1, 28, 28, generator=generator)
    labels = torch.arange(200) % 10
    return patterns[labels] + 0.3 * torch.randn(200, 1, 28, 28, generator=generator), labels


def epoch(net: Network, optimizer: torch.optim.Optimizer) -> float:
    """The mean loss of one pass over the digits, with zeros around them where they are small."""
    model = prunecell.torch.wrap(net)
    total = 0.0
    x, labels = digits()
    x = F.pad(x, ((net.input_shape[1] - 28) // 2,) * 4)
    for some in torch.randperm(200).split(20):
        optimizer.zero_grad()
        loss = F.nll_loss(net(x[some]), labels[some])
        loss.backward()
        optimizer.step()
        model.update(20)
        total += loss.item() / 10
    model.end_epoch()
    return total


def test_the_example_trains_and_pruned_weights_stay_zero() -> None:
    net = from_ini(EXAMPLE, seed=1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    model = prunecell.torch.wrap(net)
    static = net.get_parameter("conv1.weight") == 0
    losses = [epoch(net, optimizer) for _ in range(8)]
    assert losses[-1] < losses[0] / 3
    model.check()
    assert static.sum() == 45
    assert torch.equal(net.get_parameter("conv1.weight") == 0, static)
    shares = {name: (net.get_parameter(name + ".weight") == 0).float().mean().item()
              for name in ("conv2", "fc1", "fc2")}  # fmt: skip
    assert shares == pytest.approx({"conv2": 0.9, "fc1": 0.9, "fc2": 0.9}, abs=0.01)


def test_lenet_of_the_reference_trains_when_pruning_is_written_into_it(tmp_path: Path) -> None:
    path = tmp_path / "LeNet.ini"
    content = reference("LeNet.ini").read_text()
    prune = "QWeight=Prune\nQWeight.PruningMode=Static\nQWeight.PruningFiller=IterNonStruct\n"
    changed = content.replace("[conv1]\n", f"[conv1]\n{prune}QWeight.Threshold=0.3\n")
    path.write_text(changed.replace("[conv2]\n", f"[conv2]\n{prune}QWeight.Threshold=0.6\n"))
    net = from_ini(path, seed=1)
    zeros = {name: net.get_parameter(name) == 0 for name in ("conv1.weight", "conv2.weight")}
    assert [int(mask.sum()) for mask in zeros.values()] == pytest.approx([45, 1440], abs=20)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    losses = [epoch(net, optimizer) for _ in range(8)]
    assert losses[-1] < losses[0] / 2
    for name, mask in zeros.items():
        assert torch.equal(net.get_parameter(name) == 0, mask)


def test_a_cell_wins_over_its_config_section_for_layer_and_pruner_alike() -> None:
    cell = "[a] base\nInput=sp\nType=Fc\nNbOutputs=4\nConfigSection=c,d\nQWeight.Threshold=0.5\n"
    base = "[base]\nNoBias=1\nQWeight=Prune\nQWeight.PruningMode=Static\nQWeight.Delta=0.01\n"
    configs = (
        "[c]\nNoBias=0\nQWeight.Threshold=0.1\nBiasFiller=ConstantFiller\nQWeight.Delta=0.02\n"
        "[d]\nBiasFiller=NormalFiller\nQWeight.PruningFiller=IterNonStruct"
    )
    net = build(config.parse(text(base, cell, configs), name="x.ini"), seed=0)
    (one,) = prunecell.torch.wrap(net)
    assert net.get_submodule("a").bias is None
    assert one.quantizer.threshold == pytest.approx(0.5)
    assert one.quantizer.delta == pytest.approx(0.01)
    assert one.quantizer.prune_filler == "IterNonStruct"


def test_a_config_section_that_prunes_may_be_shared_with_cells_without_weights() -> None:
    cells = "[a]\nInput=sp\nType=Fc\nNbOutputs=4\nConfigSection=c\n" \
            "[b]\nInput=a,a\nType=Concat\nConfigSection=c\n"  # fmt: skip
    net = build(config.parse(text(cells, "[c]\nQWeight=Prune"), name="x.ini"), seed=0)
    assert list(prunecell.torch.wrap(net).figures()) == ["a"]


def test_errors_in_files_come_before_time_is_spent() -> None:
    # The first cell would take 4 GB; the last one is wrong.
    cells = "[a]\nInput=sp\nType=Fc\nNbOutputs=1000000\n[b]\nInput=a\nType=Fc\nNbOutputs=x"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "NbOutputs" in str(fault(text(cells, channels=1, width=32, height=32)))
