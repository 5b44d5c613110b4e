"""`from_ini`: the network that an INI file of the reference's dialect describes.

>>> from prunecell.n2d2.build import build
>>> from prunecell.config import parse
>>> build(parse('''
... [sp]
... SizeX=8
... SizeY=8
... [conv1]
... Input=sp
... Type=Conv
... KernelDims=3 3
... NbOutputs=4
... ''')).cell_shapes
{'conv1': (4, 6, 6)}

What is built and what each property means is described in docs/network.md.
"""

from prunecell.n2d2.build import from_ini
from prunecell.n2d2.graph import Network

__all__ = ["Network", "from_ini"]
