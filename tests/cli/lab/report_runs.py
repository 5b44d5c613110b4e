"""Runs whose pages the tests make."""

import numpy as np
from prunecell.cli.lab.run import CellFigures, Epoch, Run, TensorBytes
from prunecell.cli.lab.weights import histograms


def run(cells: int = 3, epochs: int = 8, planned: int = 8) -> Run:
    names = [f"block{i}.<conv>" for i in range(cells)]
    done = []
    for number in range(1, epochs + 1):
        thresholds = [min(0.1 * number + 0.01 * i, 0.9) for i in range(cells)]
        figures = [CellFigures(t, int(t * 1000) + 3, 1000) for t in thresholds]
        loss = float("nan") if number == 2 else 2.0 / number
        done.append(Epoch(number, loss, 1 - 0.5 / number, dict(zip(names, figures, strict=True))))
    rng = np.random.default_rng(0)
    before = rng.normal(0, 0.1, 1000)
    after = np.where(np.abs(before) > 0.1, before * 2, 0)
    finished = epochs >= planned
    sizes = [TensorBytes(f"{n}.weight", "float32", (10, 100), 683, 4000, 1400) for n in names]
    counts = {name: histograms(before, after) for name in names}
    facts = [("network", "a & b.ini"), ("seed", "0")]
    title = "x.ini on <digits>"
    starts = {name: 0.05 for name in names[:1]}
    end = (sizes * finished, 5000, counts if finished else {})
    return Run(title, facts, planned, done, starts, *end)
