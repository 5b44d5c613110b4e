"""Networks written line by line, and where INI files of others lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from prunecell import config
from prunecell.n2d2 import Network
from prunecell.n2d2.build import build

_TESTS = Path(__file__).resolve().parents[1]
EXAMPLE = _TESTS.parent / "examples" / "lenet.ini"
DATA = _TESTS / "data" / "ini"
# The reference's own files are read where they lie beside the checkout, as in tests/config.
REFERENCE = Path(os.environ.get("PRUNECELL_REFERENCE_INI", _TESTS.parents[1] / "shared" / "ini"))


def text(*cells: str, channels: int = 3, width: int = 8, height: int = 6) -> str:
    """An INI file with an input of that size, wider than high, so that swapped sizes show."""
    head = f"[sp]\nSizeX={width}\nSizeY={height}\nNbChannels={channels}\n"
    return head + "\n".join(cells) + "\n"


def network(*cells: str, channels: int = 3, width: int = 8, height: int = 6) -> Network:
    """The network of `cells`, with seed 0, in evaluation mode."""
    content = text(*cells, channels=channels, width=width, height=height)
    return build(config.parse(content, name="x.ini"), seed=0).eval()


def fault(content: str) -> config.ConfigError:
    """The ConfigError that building the network of `content` must raise."""
    with pytest.raises(config.ConfigError) as caught:
        build(config.parse(content, name="x.ini"))
    return caught.value


def images(net: Network, number: int = 2) -> torch.Tensor:
    """A random batch that fits `net`."""
    return torch.randn(number, *net.input_shape)
