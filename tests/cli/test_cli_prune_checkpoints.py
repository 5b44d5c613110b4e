"""`prunecell prune` of checkpoints of models that were pruned in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import prunecell
import pytest
from running import Run

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("root", [False, True])
def test_what_pruning_kept_beside_the_weights_is_left_out(
    run: Run, tmp_path: Path, root: bool
) -> None:
    nn = torch.nn
    net: Any = nn.Linear(30, 20) if root else nn.Sequential(nn.LSTM(30, 20), nn.Linear(20, 30))
    plain = set(net.state_dict())
    model = prunecell.torch.wrap(net)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Static", prune_filler="IterNonStruct", threshold=0.5, in_place=False
        )
    torch.save(net.state_dict(), tmp_path / "in.pt")
    ran = run("prune", tmp_path / "in.pt", tmp_path / "out.pt", "--threshold", 0.9)
    assert set(torch.load(tmp_path / "out.pt")) == plain
    assert f"left out: {3 * len(model.cells)} tensors of a training run's pruning" in ran.err
