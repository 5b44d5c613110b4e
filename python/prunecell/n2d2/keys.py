"""Words of the reference that mean nothing here, and words that are refused with a reason."""

from __future__ import annotations

import re

# The cells that can be built, in the order of the documentation.
BUILT = (
    *("Conv", "Deconv", "Fc", "Pool", "BatchNorm", "Dropout"),
    *("ElemWise", "Concat", "Activation", "Softmax"),
)
# Cells of the reference that are not built.
FOREIGN = {
    "ONNX": "imports an ONNX file, whose layers are not in this file",
    **dict.fromkeys(
        (
            *("Anchor", "Distance", "FMP", "LRN", "LSTM", "Normalize", "ObjectDet", "Padding"),
            *("Proposal", "RP", "ROIPooling", "Rbf", "Reshape", "Resize", "Scaling", "TargetBias"),
            *("Threshold", "Transformation", "Transpose", "Unpool"),
        ),
        "a cell of N2D2 that from_ini does not build",
    ),
}

# Properties that only matter to how the reference runs, trains or stores a cell: docs/network.md
# lists them. QWeight belongs to the pruner, which reads and checks it itself.
_WITHOUT_MEANING = re.compile(
    r"""\$.*                                        # variables of the file
    | Input | Type | Model | ConfigSection(\(.*\))?  # read elsewhere
    | QWeight(\..*)? | QWeightSolver(\..*)?
    | (Weights|Bias|Scale)?Solvers?(\.(?!QuantizationLevels$).*)?
    | Weights(ExportFormat|ExportFlip) | OutputsRemap
    | CheckForNAN
    """,
    re.VERBOSE,
)

# Patterns of keys that are refused, and the reason; the first match wins.
_REFUSED = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in {
        r".*\.(QuantizationLevels|QuantizationDelay|MovingAverage|MA_Window|EMA_Alpha"
        r"|Log2RoundingRate|Log2RoundingPower)": "quantizes, which prunecell does not; it prunes",
        r"QAct(Solver)?(\..*)?": "quantizes activations, which prunecell does not; it prunes",
        r"(Weights|Biases|Scales|Means|Variances)Sharing": (
            "sharing parameters between cells is not supported"
        ),
        r"(Kernel|SubSample|Stride|Padding|Dilation|Pool)(Z|Depth)": "only 2-D layers are built",
        r"SubSample(X|Y|Dims)?": "subsampling is not supported; a Pool of size 1 with that Stride "
        "does the same",
        r"Kernel(\[.*)?|Kernel\..*": "kernels with fixed values are not supported",
        r"BackPropagate": "a cell that stops gradients is not supported; freeze its input's "
        "parameters with requires_grad_(False)",
        r"DropConnect": "drop-connect is not supported",
        r"Input(OffsetX|OffsetY|Width|Height)": "taking a part of the input is not supported",
        r"(Bipolar)?Threshold|IncomingDelay|Leak|Refractory|TerminateDelta": (
            "belongs to cells that compute with spikes; for the pruner write QWeight.Threshold"
        ),
        r"CoeffMode": "weights and shifts belong to whole inputs here",
    }.items()
)


def without_meaning(key: str) -> bool:
    """Whether `key` only matters to the reference's own runs, or is read by other code."""
    return _WITHOUT_MEANING.fullmatch(key) is not None


def refusal(key: str) -> str | None:
    """The reason why a known property is refused, or None for other properties."""
    for pattern, reason in _REFUSED:
        if pattern.fullmatch(key):
            return reason
    return None
