"""The cells that an INI file prunes (`QWeight=Prune`), and their keywords of PruneCell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .budget import Budget, loading_budget
from .cell import CellProperties
from .errors import ConfigError, error_at, shorten, suggestion, warn_user
from .inifile import IniFile, Section
from .parameters import PARAMETERS, Keyword
from .spelling import check_heads, fault_of
from .values import Value

if TYPE_CHECKING:
    from prunecell.quantizer import PruneCell

# Quantizers of the reference that this project does not have.
_FOREIGN = ("SAT", "LSQ")
# Cells of the reference in which QWeight is a mistake. Conv, Deconv and Fc have weights to prune,
# and a Type that the reference does not have is left to the builder of the network.
_WEIGHTLESS = (
    *("Activation", "BatchNorm", "Dropout", "ElemWise", "FMP", "LRN", "Padding", "Pool"),
    *("Reshape", "Resize", "Scaling", "Softmax", "Transformation", "Transpose", "Unpool"),
)
# [onnx:Conv_def] holds what imported ONNX cells of one type begin with.
_ONNX_DEFAULTS = "onnx:"


def prune_parameters(ini: IniFile) -> dict[str, dict[str, Keyword]]:
    """The cells with QWeight=Prune: section name -> keywords of PruneCell, defaults filled in.

    In the order of the file. A key of the cell (its own or inherited) wins over the same key of its
    ConfigSection; of several, the last named wins. Sections that only serve as bases or as
    ConfigSection are no cells. Raises ConfigError, naming file, line and legal words, for misspelt
    keys, unknown parameters, wrong values, and quantizers that prunecell does not have.
    """
    budget = loading_budget()
    blocks = _building_blocks(ini, budget)
    found = {}
    for section in ini.values():
        # The properties of a templated section are the template's parameters, not a cell's.
        if section.template is not None:
            continue
        check_heads(section)
        if section.name in blocks and "Input" not in section:
            continue
        keywords = _cell(ini, section, budget)
        if keywords is not None:
            found[section.name] = keywords
    return found


def build(ini: IniFile) -> dict[str, PruneCell]:
    """A new PruneCell for each cell that prune_parameters finds. Raises ConfigError as it does."""
    # Imported here so that reading a configuration needs no numpy.
    from prunecell.quantizer import PruneCell

    cells = {}
    for name, keywords in prune_parameters(ini).items():
        arguments: dict[str, Any] = dict(keywords)
        try:
            cells[name] = PruneCell(**arguments)
        except (TypeError, ValueError) as error:
            reason = f"PruneCell refuses these parameters: {error}"
            raise error_at(ini[name].origin, name, reason) from error
    return cells


def _cell(ini: IniFile, section: Section, budget: Budget) -> dict[str, Keyword] | None:
    """The keywords of one cell, or None if it is not pruned."""
    cell = CellProperties(ini, section, budget, lenient="QWeight" not in section)
    if "QWeight" not in cell:
        _check_orphans(section)
        return None
    kind = section.read("Type", budget=budget) if "Type" in section else None
    weightless = kind is not None and kind in _WEIGHTLESS
    if weightless and not cell.own("QWeight"):
        return None  # its config section is meant for cells with weights
    method = cell.read("QWeight")
    if method != "Prune":
        raise _not_prune(method)
    if weightless:
        raise method.error(f"a cell of Type {kind} has no weights to prune")
    if section.name.startswith(_ONNX_DEFAULTS):
        warn_user(
            f"{method.file}:{method.line}: [{section.name}] is what imported ONNX cells begin "
            "with and no cell itself; its QWeight=Prune prunes nothing here"
        )
        return None
    for key in cell:
        if fault := fault_of(key):
            raise cell.raw(key).error(fault)
    keywords: dict[str, Keyword] = {}
    for parameter in PARAMETERS:
        key = f"QWeight.{parameter.ini}"
        if key in cell:
            keywords[parameter.python] = parameter.read(cell.read(key))
        elif parameter.default is not None:
            keywords[parameter.python] = parameter.default
    return keywords


def _building_blocks(ini: IniFile, budget: Budget) -> set[str]:
    """Sections that others inherit from or name as ConfigSection."""
    blocks: set[str] = set()
    for section in ini.values():
        blocks.update(section.bases)
        for key in section:
            if not key.startswith("ConfigSection"):
                continue
            try:
                blocks.update(section.read(key, budget=budget).words(","))
            except ConfigError:
                continue  # a pruned cell that reads it raises this again
    return blocks


def _not_prune(method: Value) -> ConfigError:
    if method in _FOREIGN:
        return method.error(
            f"{method} is a quantizer of N2D2 that is not ours: prunecell prunes and does not "
            "quantize; the legal word is Prune"
        )
    return method.error(
        f"expected Prune, got {shorten(method)}{suggestion(method, ('Prune', *_FOREIGN))}; the "
        f"legal word is Prune ({' and '.join(_FOREIGN)}, quantizers of N2D2, are not ours)"
    )


def _check_orphans(section: Section) -> None:
    """Refuses parameters of a quantizer in a cell that has none."""
    for key in section:
        if key.startswith("QWeight.") and "Input" in section:
            raise section.raw(key).error(
                "the cell has no QWeight, so this has no effect; add QWeight=Prune"
            )
