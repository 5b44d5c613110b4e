"""Refusals, each with file, section, line, key, and what is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
from from_ini_setup import fault, network, text
from prunecell.config import ConfigError
from prunecell.torch import from_ini

CONV = "[a]\nInput=sp\nType=Conv\nKernelSize=3\nNbOutputs=4\n"
POOL = "[a]\nInput=sp\nType=Pool\nPoolSize=2\nMapping.Size=1\n"
FC = "[a]\nInput=sp\nType=Fc\nNbOutputs=4\n"
# Two cells of 3 x 6 x 8 and one of 2 x 1 x 1.
THREE = (
    "[p]\nInput=sp\nType=Activation\n[q]\nInput=sp\nType=Activation\n"
    "[r]\nInput=sp\nType=Fc\nNbOutputs=2\n"
)

CASES = {
    # Types
    "foreign cell": ("[a]\nInput=sp\nType=LRN", 7, "LRN: a cell of N2D2 that from_ini does not"),
    "transformation": ("[a]\nInput=sp\nType=Transformation", 7, "built are Conv, Deconv, Fc"),
    "onnx": ("[a]\nInput=sp\nType=ONNX\nFile=x", 7, "imports an ONNX file"),
    "misspelt type": ("[a]\nInput=sp\nType=conv", 7, '(did you mean "Conv"?)'),
    "no type": ("[a]\nInput=sp\nTipe=Conv", 7, '(did you mean "Type"?)'),
    "no type at all": ("[a]\nInput=sp", 5, "no Type; write Type=Conv"),
    # Inputs
    "unknown input": (CONV.replace("sp", "conv9"), 6, "Input: no cell [conv9]"),
    "misspelt input": (CONV + "[bn]\nInput=A\nType=Dropout", 11, '(did you mean "a"?)'),
    "empty input": ("[a]\nInput=\nType=Conv", 6, "expected the names of other cells, or sp"),
    "cycle": ("[b]\nInput=sp\nType=Dropout\n[a]\nInput=b,c\nType=Concat\n"
              "[d]\nInput=c\nType=Dropout\n[c]\nInput=a\nType=Dropout",
              9, "read each other: [a] <- [c] <- [a]"),
    "itself": ("[a]\nInput=a\nType=Dropout", 6, "[a] <- [a]"),
    "no input": ("[a]\nType=Conv", 5, "a cell needs an Input"),
    "inputs": (FC + "[b]\nInputs=a\nType=Fc", 10, '(did you mean "Input"?)'),
    "no cell": ("[database]\nType=X", None, "no section has an Input"),
    # Sections
    "target of nothing": (CONV + "[b.Target]", 10, "a target of [b], which is no cell"),
    "misspelt target": (CONV.replace("[a]", "[softmax]") + "[sofmax.Target]", 10, '"softmax"?'),
    "forgotten section": (CONV + "[common.confg]\nNoBias=1", 10, "nothing refers to it"),
    "no config section": (CONV + "ConfigSection=c,d\n[c]", 10, "no section [d]"),
    "channel transformation": (CONV + "[sp.ChannelTransformation-1]\nType=X", 10, "make channels"),
    "attribute": (CONV.replace("[a]", "[train]"), 5, '"train" is an attribute of Network'),
    "attribute of a cell": (CONV + "[a.bias]\nInput=a\nType=Dropout", 10, '"bias" is an attribute'),
    "empty part": (CONV.replace("[a]", "[a..b]"), 5, "a part between points is empty"),
    "config sections": (FC + "ConfigSection=c\n[c]\nNoBais=1", 11,
                        'NoBais: unknown to the cells [a] (did you mean "NoBias"?)'),
    # Properties
    "misspelt": (CONV + "Padd=1", 10, 'Padd: unknown to Type=Conv (did you mean "Padding"?)'),
    "of another type": (CONV + "PoolDims=2 2", 10, "PoolDims: unknown to Type=Conv"),
    "accepted": (FC + "Stride=1", 9, "accepted are ActivationFunction, "),
    "of another filler": (CONV + "WeightsFiller=HeFiller\nWeightsFiller.StdDev=1", 11, "unknown"),
    "of another activation": (CONV + "ActivationFunction=Tanh\nActivationFunction.Clipping=1",
                              11, "unknown"),
    "quantized": (CONV + "ActivationFunction=Tanh\nActivationFunction.QuantizationLevels=8",
                  11, "quantizes, which prunecell does not"),
    "quantizing solver": (CONV + "Solvers.QuantizationLevels=8", 10, "quantizes"),
    "activation quantizer": (CONV + "QAct=LSQ", 10, "quantizes activations"),
    "weight quantizer": (CONV + "QWeight=SAT", 10, "a quantizer of N2D2 that is not ours"),
    "pruned without weights": ("[a]\nInput=sp\nType=Concat\nQWeight=Prune", 8,
                               "only cells with weights can be pruned: Conv, Deconv, Fc"),
    "pruned and no cell": (CONV.replace("=4", "=[b]N") + "[b]\nN=4\nQWeight=Prune", 12,
                           "only cells with weights"),
    "misspelt pruner": (CONV + "QWeight=Prune\nQWeight.Treshold=1", 11, '"Threshold"?'),
    "weight sharing": (CONV + "WeightsSharing=b", 10, "sharing parameters"),
    "third dimension": (CONV + "StrideZ=1", 10, "only 2-D layers"),
    "subsampling": (CONV + "SubSample=2", 10, "a Pool of size 1 with that Stride"),
    "fixed kernel": (CONV + "Kernel[0][0]=1 2 3", 10, "fixed values"),
    "backpropagation": (CONV + "BackPropagate=0", 10, "requires_grad_(False)"),
    "drop-connect": (FC + "DropConnect=0.5", 9, "drop-connect"),
    "part of the input": (CONV + "InputOffsetX=1", 10, "a part of the input"),
    "spikes": (CONV + "Threshold=0.3", 10, "write QWeight.Threshold"),
    "spiking model": (CONV + "Model=Spike", 10, "Spike computes with spikes"),
    "precision": (CONV + "DataType=Float16", 10, "net.half()"),
    # Numbers
    "no pool": ("[a]\nInput=sp\nType=Pool\nPooling=Max", 5, "no PoolDims; write PoolDims=5 5"),
    "no kernel": ("[a]\nInput=sp\nType=Conv\nNbOutputs=4", 5, "no KernelDims; write KernelDims=5"),
    "kernel misspelt": ("[a]\nInput=sp\nType=Conv\nKernalDims=3 3", 8, '"KernelDims"?'),
    "half a kernel": ("[a]\nInput=sp\nType=Conv\nKernelWidth=3", 5, "no KernelHeight"),
    "kernel twice": (CONV + "KernelDims=3 3", 8, "say it once: KernelDims is given as well"),
    "stride twice": (CONV + "Stride=1\nStrideX=2", 11, "say it once: Stride is given as well"),
    "one dimension": (CONV.replace("Size=3", "Dims=3"), 8, "expected width, height; got"),
    "no stride": (CONV + "Stride=0", 10, "expected 1 to"),
    "negative padding": (CONV + "Padding=-1", 10, "expected an integer from 0"),
    "huge": (CONV.replace("=4", "=4000000000"), 9, "expected 1 to 1048576, got 4000000000"),
    "too many weights": (FC.replace("=4", "=1000000") + "[b]\nInput=a\n"
                         "Type=Fc\nNbOutputs=1000000", 12, "1,000,144,000,000 weights; at most"),
    "weights of 16 GiB": (CONV.replace("Size=3", "Dims=64 64").replace("=4", "=1048576")
                          + "Padding=40", 9, "weights; at most 536,870,912 in one network"),
    "weights of many cells": (FC.replace("=4", "=20000") + "".join(
        f"[b{i}]\nInput={'a' if i == 0 else f'b{i - 1}'}\nType=Fc\nNbOutputs=20000\n"
        for i in range(3)), 16, "802,880,000 weights; at most"),
    "values of a sample": (CONV + "Padding=20000", 5, "values for one sample"),
    "no number": (CONV.replace("=4", "=four"), 9, 'got "four"'),
    "kernel does not fit": (CONV.replace("=3", "=7"), 8, "7 x 7 (width x height) does not fit"),
    "dilated does not fit": (CONV + "DilationX=4", 8, "9 x 3 (width x height) does not fit"),
    "pool does not fit": (POOL.replace("=2", "=9"), 8, "8 x 6 with its padding"),
    "nothing left": (CONV.replace("Conv", "Deconv") + "Padding=5", 8, "nothing is left"),
    "padding of a pool": (POOL + "Padding=2", 8, "more than half"),
    "dropout": ("[a]\nInput=sp\nType=Dropout\nDropout=1.5", 8, "expected 0 to 1"),
    "momentum": ("[a]\nInput=sp\nType=BatchNorm\nMovingAverageMomentum=2", 8, "expected 0 to 1"),
    "outputs": ("[a]\nInput=sp\nType=BatchNorm\nNbOutputs=4", 8, "expected 3, the channels"),
    "outputs of softmax": ("[a]\nInput=sp\nType=Softmax\nNbOutputs=10", 8, "expected 3"),
    "flag": (CONV + "NoBias=yes", 10, "expected one of 0, 1"),
    # Words
    "filler": (CONV + "WeightsFiller=Hefiller", 10, '(did you mean "HeFiller"?)'),
    "filler of a bias": (CONV + "BiasFiller=HeFiller", 10, "expected one of ConstantFiller, "),
    "deviation": (CONV + "WeightsFiller=NormalFiller\nWeightsFiller.StdDev=-1", 10, "StdDev of 0"),
    "interval": (CONV + "WeightsFiller=UniformFiller\nWeightsFiller.Min=2", 10, "a Min below Max"),
    "norm": (CONV + "WeightsFiller=HeFiller\nWeightsFiller.VarianceNorm=Fan", 11, "FanIn, Average"),
    "activation": (CONV + "ActivationFunction=ReLU", 10, "expected one of Linear, Rectifier"),
    "leak": (CONV + "ActivationFunction=Rectifier\nActivationFunction.LeakSlope=-1", 11, "0 or"),
    "loss": (FC + "ActivationFunction=LogisticWithLoss", 9, "BCEWithLogitsLoss"),
    "pooling": (POOL + "Pooling=Mean", 10, "expected one of Max, Average"),
    "operation": ("[a]\nInput=sp\nType=ElemWise\nOperation=Abs", 8, '"AbsSum"?'),
    # Several inputs
    "sizes": (THREE + "[a]\nInput=p,r\nType=Concat", 16, "[p] gives 3 x 6 x 8 (channels, height"),
    "channels": (THREE + "[a]\nInput=p,r\nType=ElemWise", 16, "agree in all sizes"),
    "weights": (THREE + "[a]\nInput=p,q\nType=ElemWise\nWeights=1", 18, "expected 2 numbers, one"),
    "softmax with loss inside": ("[a]\nInput=sp\nType=Softmax\nWithLoss=1\n[b]\nInput=a\n"
                                 "Type=Dropout", 8, "[b] reads it; write WithLoss=0"),
    "groups of softmax": ("[a]\nInput=sp\nType=Softmax\nGroupSize=2", 8, "3 channels cannot be"),
    # Mappings
    "two groups": (CONV + "Mapping.NbGroups=2", 10, "3 channels cannot be divided by 2"),
    "channels per group": (CONV + "Mapping.ChannelsPerGroup=2", 10, "cannot be divided by 2"),
    "groups for outputs": (CONV.replace("=4", "=2") + "Mapping.NbGroups=3", 10, "3 groups of"),
    "groups twice": (CONV + "Mapping.NbGroups=3\nMapping.ChannelsPerGroup=1", 11, "say it once"),
    "groups and pattern": (CONV + "Mapping.NbGroups=3\nMapping.Size=1", 11, "say it once"),
    "size of a mapping": (CONV + "Mapping(sp)=1 1 1", 10, "expected 3 rows (channels) of 4"),
    "words of a mapping": (CONV + "Mapping(sp)=1 1 1 1 1 1 1 1 1 1 1 2", 10, 'got "2"'),
    "unconnected": (CONV + "Mapping(sp)=1 1 1 0 1 1 1 0 1 1 1 0", 10, "output 3 (counted from 0)"),
    "mapping of no input": (CONV + "Mapping(b)=1", 10, '(did you mean "Mapping(sp)"?)'),
    "pool without mapping": (POOL.replace("Mapping.Size=1\n", ""), 5, "write Mapping.Size=1"),
    "pool over channels": (POOL + "Mapping.SizeX=2", 10, "say it once"),
    "maxout": (POOL.replace("Mapping.Size", "Mapping.SizeY=3\nMapping.SizeX"), 5, "pools one"),
    "outputs of a pool": (POOL + "NbOutputs=6", 5, "and NbOutputs=3"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str) -> None:
    cells, line, reason = CASES[case]
    error = fault(text(cells))
    assert reason in str(error)
    assert (error.file, error.line) == ("x.ini", line)


HEADS = {
    "no input section": ("[a]\nInput=sp\nType=Dropout", None, "no section [sp] with SizeX"),
    "no width": ("[sp]\nSizeY=3\n[a]\nInput=sp\nType=Dropout", 1, "no SizeX; write SizeX=32"),
    "misspelt width": ("[sp]\nSizex=3\nSizeY=3\n[a]\nInput=sp\nType=Dropout", 2, '"SizeX"?'),
    "unknown": ("[sp]\nSizeX=3\nSizeY=3\nNbChanels=3\n[a]\nInput=sp\nType=Dropout", 4,
                '(did you mean "NbChannels"?)'),
    "two dimensions": ("[sp]\nSize=3 3\n[a]\nInput=sp\nType=Dropout", 2, "width, height, channels"),
    "empty": ("[sp]\nSize=3 0 1\n[a]\nInput=sp\nType=Dropout", 2, "expected 1 to 1048576, got 0"),
    "third dimension": ("[sp]\nSizeX=3\nSizeY=3\nSizeD=3\n[a]\nInput=sp\nType=Dropout", 4, "2-D"),
    "both": ("[sp]\nSizeX=3\nSizeY=3\n[env]\n[a]\nInput=sp\nType=Dropout", 4, "[sp] describes"),
    "spikes": ("[cenv]\nSizeX=3\nSizeY=3\n[a]\nInput=sp\nType=Dropout", 1, "spikes"),
    "input with input": ("[sp]\nInput=a\nType=Dropout\n[a]\nInput=sp\nType=Dropout", 2,
                         "the input of the network cannot have one itself"),
    "model": ("DefaultModel=Spike\n" + text(CONV), 1, "Spike computes with spikes"),
    "precision": ("DefaultDataType=Float16\n" + text(CONV), 1, "Float32"),
    "inserted": ("InsertBatchNormAfterConv=1\n" + text(CONV), 1, "write the BatchNorm cells"),
    "unknown before": ("DefaultModle=Frame\n" + text(CONV), 1, '(did you mean "DefaultModel"?)'),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADS)
def test_refused_around_the_cells(case: str) -> None:
    content, line, reason = HEADS[case]
    error = fault(content)
    assert reason in str(error)
    assert error.line == line


def test_the_message_names_file_line_section_key_and_what_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "net.ini"
    path.write_text(text(POOL + "Pooling=max"))
    with pytest.raises(ConfigError) as caught:
        from_ini(path)
    assert str(caught.value) == (
        f'{path}:10: section [a]: Pooling: expected one of Max, Average; got "max" '
        '(did you mean "Max"?)'
    )
    with pytest.raises(OSError, match=r"missing\.ini"):
        from_ini(tmp_path / "missing.ini")


def test_a_template_or_a_base_is_named_where_it_says_it() -> None:
    error = fault(text("[def]\nType=Conv\nKernelSize=3\nNbOutputs=0", "[a] def\nInput=sp"))
    assert (error.line, error.section) == (8, "a")


def test_large_mappings_are_refused_before_they_are_made() -> None:
    head = text(CONV.replace("=4", "=1000000"), channels=300)
    assert "larger than" in str(fault(head + "Mapping.NbGroups=3"))
    pattern = "Mapping.SizeX=0\nMapping.SizeY=0\nMapping.NbIterations=1000000"
    assert "connections to draw" in str(
        fault(text(CONV.replace("=4", "=9999"), channels=1000) + pattern)
    )


def test_nothing_is_pruned_on_request_and_other_quantizers_are_then_not_looked_at(
    tmp_path: Path,
) -> None:
    path = tmp_path / "net.ini"
    path.write_text(text(CONV + "QWeight=LSQ\nQWeight.Range=255\nQWeightSolver=SGD"))
    assert list(from_ini(path, attach=False).state_dict()) == ["a.weight", "a.bias"]
    with pytest.raises(ConfigError, match="LSQ is a quantizer of N2D2"):
        from_ini(path)


def test_what_only_matters_to_the_reference_is_taken_without_a_warning() -> None:
    lines = (
        "Model=Frame_CUDA\nDataType=Float32\nSolvers=SGD\nSolvers.LearningRate=[sp]_EpochSize\n"
        "WeightsSolver.Momentum=0.9\nBiasSolver=Adam\nWeightsExportFormat=OCHW\n$MINE=3\n"
        "WeightsExportFlip=0\nOutputsRemap=1:4\nQWeightSolver.LearningRate=1\nCheckForNAN=1\n"
        "ConfigSection=c"
    )
    config = "[c]\nSolvers.Decay=0.1\nNoBias=1"
    data = "[database]\nX=1\n[sp.Transformation]\nType=X\n[a.Target]\nX=1"
    assert list(network(CONV + lines, config, data).state_dict()) == ["a.weight"]
