"""Each kind of cell against the same layer written by hand."""

from __future__ import annotations

from collections.abc import Callable

import prunecell
import pytest
import torch
from from_ini_setup import images, network
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

CONV = "[a]\nInput=sp\nType=Conv\nNbOutputs=4\n"
SAME = "[a]\nInput=sp\nType=Activation\n"


def check(cells: str, by_hand: Callable[..., Tensor], **size: int) -> None:
    """The network of `cells` gives what `by_hand` makes of its input and its parameters."""
    net = network(cells, **size)
    x = images(net)
    result = net(x)
    torch.testing.assert_close(result, by_hand(x, *net.parameters()))
    (name,) = net.output_names
    assert result.shape[1:] == net.cell_shapes[name]


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        ("KernelDims=3 2", {}),
        ("KernelWidth=3\nKernelHeight=2", {}),
        ("KernelDims=3 2\nStride=2", {"stride": 2}),
        ("KernelDims=3 2\nStrideDims=3 2", {"stride": (2, 3)}),
        ("KernelDims=3 2\nStrideX=3", {"stride": (1, 3)}),
        ("KernelDims=3 2\nPadding=1", {"padding": 1}),
        ("KernelDims=3 2\nPaddingX=1\nPaddingY=2", {"padding": (2, 1)}),
        ("KernelDims=3 2\nPaddingDims=1 2", {"padding": (2, 1)}),
        ("KernelDims=3 2\nDilation=2", {"dilation": 2}),
        ("KernelDims=3 2\nDilationX=3\nDilationY=2", {"dilation": (2, 3)}),
    ],
)
def test_conv_reads_sizes_as_width_and_height(lines: str, options: dict[str, int]) -> None:
    check(CONV + lines, lambda x, w, b: F.conv2d(x, w, b, **options))
    assert network(CONV + lines).get_parameter("a.weight").shape == (4, 3, 2, 3)


def test_kernel_size_is_square() -> None:
    check(CONV + "KernelSize=3", F.conv2d)


def test_conv_without_bias_has_none() -> None:
    net = network(CONV + "KernelSize=3\nNoBias=1")
    assert list(net.state_dict()) == ["a.weight"]
    assert list(network(CONV + "KernelSize=3\nNoBias=0").state_dict()) == ["a.weight", "a.bias"]


@pytest.mark.parametrize(
    ("lines", "options", "size"),
    [
        ("", {}, (4, 7, 10)),
        ("Stride=2", {"stride": 2}, (4, 12, 17)),
        ("StrideX=2\nPaddingY=1", {"stride": (1, 2), "padding": (1, 0)}, (4, 5, 17)),
        (
            "Stride=2\nPadding=1\nDilation=2",
            {"stride": 2, "padding": 1, "dilation": 2},
            (4, 11, 17),
        ),
    ],
)
def test_deconv_spreads(lines: str, options: dict[str, int], size: tuple[int, ...]) -> None:
    cells = "[a]\nInput=sp\nType=Deconv\nNbOutputs=4\nKernelDims=3 2\n" + lines
    check(cells, lambda x, w, b: F.conv_transpose2d(x, w, b, **options))
    assert network(cells).cell_shapes["a"] == size


def test_fc_takes_all_values() -> None:
    check("[a]\nInput=sp\nType=Fc\nNbOutputs=5", lambda x, w, b: F.linear(x.flatten(1), w, b))


POOL = "[a]\nInput=sp\nType=Pool\nNbOutputs=3\nMapping.Size=1\n"


@pytest.mark.parametrize(
    ("lines", "by_hand"),
    [
        ("PoolDims=3 2\nStride=2", lambda x: F.max_pool2d(x, (2, 3), 2)),
        ("PoolDims=3 2\nPooling=Max\nStrideX=2", lambda x: F.max_pool2d(x, (2, 3), (1, 2))),
        ("PoolSize=2", lambda x: F.max_pool2d(x, 2, 1)),
        ("PoolWidth=3\nPoolHeight=2", lambda x: F.max_pool2d(x, (2, 3), 1)),
        ("PoolSize=3\nPadding=1\nStride=2", lambda x: F.max_pool2d(x, 3, 2, 1)),
        ("PoolDims=8 6\nPooling=Average", lambda x: x.mean((2, 3), keepdim=True)),
        ("PoolSize=2\nPooling=Average\nPadding=1", lambda x: F.pad(x, (1, 1, 1, 1)).unfold(2, 2, 1)
         .unfold(3, 2, 1).mean((4, 5))),
        # 8 / 3: the last two columns do not make a window of their own.
        ("PoolSize=3\nStride=3", lambda x: F.max_pool2d(x[..., :6], 3, 3)),
        ("PoolSize=2\nActivationFunction=Tanh", lambda x: F.max_pool2d(x, 2, 1).tanh()),
    ],
)  # fmt: skip
def test_pool(lines: str, by_hand: Callable[[Tensor], Tensor]) -> None:
    check(POOL + lines, by_hand)


@pytest.mark.parametrize("mapping", ["Mapping.ChannelsPerGroup=1", "Mapping.NbGroups=3"])
def test_pool_takes_any_mapping_that_is_one_to_one(mapping: str) -> None:
    cells = POOL.replace("Mapping.Size=1", mapping).replace("NbOutputs=3\n", "")
    check(cells + "PoolSize=2", lambda x: F.max_pool2d(x, 2, 1))


def test_batch_norm_keeps_running_figures_as_torch_does() -> None:
    cells = "[a]\nInput=sp\nType=BatchNorm\nMovingAverageMomentum=0.3\nEpsilon=0.01"
    net, by_hand = network(cells).train(), nn.BatchNorm2d(3, eps=0.01, momentum=0.3)
    for _ in range(3):
        x = images(net, 4) * 2 + 1
        torch.testing.assert_close(net(x), by_hand(x))
    torch.testing.assert_close(net.eval()(x), by_hand.eval()(x))
    names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(net.state_dict()) == ["a." + name for name in names]


def test_batch_norm_defaults() -> None:
    module = network("[a]\nInput=sp\nType=BatchNorm").get_submodule("a")
    assert (module.eps, module.momentum) == (1e-5, 0.1)


def test_batch_norm_and_activation_after_fc_stay_flat() -> None:
    fc = "[a]\nInput=sp\nType=Fc\nNbOutputs=5\n"
    net = network(fc, "[b]\nInput=a\nType=BatchNorm\nNbOutputs=5\nActivationFunction=Rectifier")
    net.train()
    x = images(net, 8)
    a = F.linear(x.flatten(1), *net.get_submodule("a").parameters())
    expected = ((a - a.mean(0)) / (a.var(0, correction=0) + 1e-5).sqrt()).relu()
    torch.testing.assert_close(net(x), expected)


def test_dropout_drops_while_training_only() -> None:
    net = network("[a]\nInput=sp\nType=Dropout\nNbOutputs=3\nDropout=0.25", width=100, height=100)
    x = torch.ones(1, 3, 100, 100)
    assert torch.equal(net(x), x)
    torch.manual_seed(0)
    dropped = net.train()(x)
    assert 0.24 < (dropped == 0).float().mean() < 0.26
    torch.testing.assert_close(
        dropped[dropped != 0], torch.tensor(1 / 0.75).expand(dropped.count_nonzero())
    )
    assert network("[a]\nInput=sp\nType=Dropout").get_submodule("a").p == 0.5


BRANCHES = (
    "[b]\nInput=sp\nType=Activation\nActivationFunction=Tanh",
    "[c]\nInput=sp\nType=Activation\nActivationFunction=Rectifier",
)


@pytest.mark.parametrize(
    ("lines", "by_hand"),
    [
        ("", lambda x, t, r: x + t + r),
        ("Operation=Sum\nWeights=0.5 2 -1", lambda x, t, r: x / 2 + 2 * t - r),
        ("Operation=Sum\nShifts=1 0 2", lambda x, t, r: x + t + r + 3),
        ("Operation=AbsSum\nWeights=1 2 3", lambda x, t, r: x.abs() + 2 * t.abs() + 3 * r),
        (
            "Operation=EuclideanSum\nWeights=1 2 3\nShifts=0 1 0",
            lambda x, t, r: (x**2 + (2 * t + 1) ** 2 + 9 * r**2).sqrt(),
        ),
        ("Operation=Prod", lambda x, t, r: x * t * r),
        ("Operation=Max", lambda x, t, r: torch.stack([x, t, r]).amax(0)),
        ("Operation=Max\nActivationFunction=Tanh", lambda x, t, r: x.maximum(t).maximum(r).tanh()),
    ],
)
def test_elem_wise(lines: str, by_hand: Callable[..., Tensor]) -> None:
    net = network(*BRANCHES, f"[a]\nInput=sp,b,c\nType=ElemWise\nNbOutputs=3\n{lines}")
    x = images(net)
    torch.testing.assert_close(net(x), by_hand(x, x.tanh(), x.relu()))


def test_gradient_of_a_euclidean_sum_of_zeros_is_zero() -> None:
    net = network("[a]\nInput=sp\nType=ElemWise\nOperation=EuclideanSum")
    x = torch.zeros(1, *net.input_shape, requires_grad=True)
    net(x).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_concat_puts_channels_one_after_another() -> None:
    net = network(*BRANCHES, "[a]\nInput=c,sp,b\nType=Concat\nNbOutputs=9")
    x = images(net)
    torch.testing.assert_close(net(x), torch.cat([x.relu(), x, x.tanh()], 1))


@pytest.mark.parametrize(
    ("lines", "by_hand"),
    [
        ("Linear", lambda x: x),
        ("Rectifier", F.relu),
        ("Rectifier\nActivationFunction.LeakSlope=0.1", lambda x: F.leaky_relu(x, 0.1)),
        ("Rectifier\nActivationFunction.Clipping=0.5", lambda x: x.clamp(0, 0.5)),
        (
            "Rectifier\nActivationFunction.Clipping=0.5\nActivationFunction.LeakSlope=0.1",
            lambda x: torch.where(x < 0, 0.1 * x, x.clamp(max=0.5)),
        ),
        ("Tanh", torch.tanh),
        ("Tanh\nActivationFunction.Alpha=0.3", lambda x: torch.tanh(0.3 * x)),
        ("TanhLeCun", lambda x: torch.tanh(1.7159 * 2 / 3 * x)),
        ("Saturation", lambda x: x.clamp(-1, 1)),
        ("Saturation\nActivationFunction.Threshold=0.2", lambda x: x.clamp(-0.2, 0.2)),
        ("Logistic", torch.sigmoid),
        ("Softplus", lambda x: torch.log(1 + x.exp())),
        ("Swish", lambda x: x * torch.sigmoid(x)),
    ],
)
def test_activation_functions_alone_and_behind_a_cell(
    lines: str, by_hand: Callable[[Tensor], Tensor]
) -> None:
    check(SAME + f"ActivationFunction={lines}", by_hand)
    conv = CONV + f"KernelSize=3\nActivationFunction={lines}"
    check(conv, lambda x, w, b: by_hand(F.conv2d(x, w, b)))


def test_without_activation_function_a_cell_is_linear() -> None:
    check(CONV + "KernelSize=3", F.conv2d)
    check(SAME, lambda x: x)


@pytest.mark.parametrize(
    ("lines", "by_hand"),
    [
        ("", lambda x: x.softmax(1)),
        ("WithLoss=0", lambda x: x.softmax(1)),
        ("WithLoss=1", lambda x: x.log_softmax(1)),
        ("GroupSize=0", lambda x: x.softmax(1)),
        ("GroupSize=2", lambda x: torch.cat([x[:, :2].softmax(1), x[:, 2:].softmax(1)], 1)),
    ],
)
def test_softmax_over_channels(lines: str, by_hand: Callable[[Tensor], Tensor]) -> None:
    check(f"[a]\nInput=sp\nType=Softmax\nNbOutputs=4\n{lines}", by_hand, channels=4)


def test_with_loss_both_losses_of_torch_are_right() -> None:
    fc = "[a]\nInput=sp\nType=Fc\nNbOutputs=5\n"
    net = network(fc, "[b]\nInput=a\nType=Softmax\nNbOutputs=5\nWithLoss=1")
    x, labels = images(net), torch.tensor([1, 4])
    logits = F.linear(x.flatten(1), *net.parameters())
    expected = F.cross_entropy(logits, labels)
    torch.testing.assert_close(F.nll_loss(net(x), labels), expected)
    torch.testing.assert_close(F.cross_entropy(net(x), labels), expected)


def test_cells_with_weights_are_cells_of_wrap() -> None:
    net = network(CONV + "KernelSize=3", "[b.c]\nInput=a\nType=Deconv\nNbOutputs=2\nKernelSize=2",
                  "[d]\nInput=b.c\nType=Fc\nNbOutputs=2")  # fmt: skip
    cells = {cell.name: type(cell) for cell in prunecell.torch.wrap(net)}
    kinds = prunecell.cells.Conv, prunecell.cells.Conv, prunecell.cells.Fc
    assert cells == dict(zip(["a", "b.c", "d"], kinds, strict=True))
