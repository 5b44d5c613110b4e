"""docs/coverage.md: which share of the matrix weights of well-known architectures gets a cell.

    python benchmarks/architectures.py            # builds them all, writes results and page
    python benchmarks/architectures.py --page     # the page alone, from the newest results

Models are built from the default configurations of transformers and timm, without values.
"""

from __future__ import annotations

import argparse
import datetime
import json
import warnings
from pathlib import Path
from typing import Any

from page import table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "coverage.md"

TRANSFORMERS = [
    "albert",
    "bart",
    "bert",
    "bloom",
    "clip",
    "deberta-v2",
    "deepseek_v3",
    "dinov2",
    "electra",
    "falcon",
    "gemma3_text",
    "glm4_moe",
    "gpt2",
    "gpt_neo",
    "gpt_neox",
    "gpt_oss",
    "gptj",
    "granitemoe",
    "jamba",
    "llama",
    "llama4_text",
    "mamba",
    "mistral",
    "mixtral",
    "olmoe",
    "openai-gpt",
    "opt",
    "phi3",
    "qwen2",
    "qwen3",
    "qwen3_moe",
    "roberta",
    "rwkv",
    "segformer",
    "swin",
    "switch_transformers",
    "t5",
    "vit",
    "wav2vec2",
    "whisper",
    "xlnet",
]
TIMM = [
    "cait_s24_224",
    "coatnet_0_rw_224",
    "convnext_base",
    "efficientnet_b0",
    "eva02_base_patch14_224",
    "gmlp_s16_224",
    "levit_256",
    "maxvit_tiny_tf_224",
    "mixer_b16_224",
    "resmlp_12_224",
    "resnet50",
    "sequencer2d_s",
    "swin_base_patch4_window7_224",
    "vit_base_patch16_224",
    "xcit_small_12_p16_224",
]

INTRODUCTION = """# Which weights get a cell

`prunecell.torch.wrap` makes cells of the weights that a forward multiplies by \
([pytorch.md](pytorch.md)).
Other weights stay dense: `model.uncovered` lists them, `repr(model)` shows them, and a warning \
names them where they are more than a tenth of the matrix weights.
`wrap(net, include=...)` makes cells of them.

The table shows the share of matrix weights in cells, for models built from default configurations.
Tables of embeddings do not count; `embeddings=True` offers them, too.
"""


def row(package: str, name: str, net: Any) -> dict[str, Any]:
    """What `wrap` makes of a model."""
    import prunecell

    model = prunecell.torch.wrap(net)
    left = model.uncovered
    return {
        "package": package,
        "architecture": name,
        "class": type(net).__name__,
        "cells": len(model),
        "covered": 1 - sum(left.values()),
        "uncovered": sorted(left, key=lambda one: -left[one])[:3],
    }


def built() -> dict[str, Any]:
    """Versions, and a row for each architecture."""
    import timm
    import torch
    import transformers

    warnings.simplefilter("ignore")
    rows = []
    with torch.device("meta"):
        for name in TRANSFORMERS:
            config = transformers.CONFIG_MAPPING[name]()
            rows.append(row("transformers", name, transformers.AutoModel.from_config(config)))
        rows.extend(row("timm", name, timm.create_model(name)) for name in TIMM)
    versions = {one.__name__: one.__version__ for one in (torch, transformers, timm)}
    return {"versions": versions, "rows": rows}


def page(results: dict[str, Any]) -> str:
    """The text of docs/coverage.md."""
    rows = [
        [
            f"{one['architecture']} ({one['class']})",
            str(one["cells"]),
            f"{one['covered']:.1%}",
            _left(one["uncovered"]),
        ]
        for one in results["rows"]
    ]
    shares = table(["architecture", "cells", "in cells", "left"], rows)
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"{INTRODUCTION}\n{shares}\n\nBuilt with {versions}.\n"


def _left(names: list[str]) -> str:
    """The largest matrix stands for all: layers of a model repeat its name."""
    if not names:
        return ""
    return f"`{names[0]}`" + (" and others" if len(names) > 1 else "")


def newest() -> Path:
    """The newest file of results."""
    return max(RESULTS.glob("????-??-??-coverage.json"))


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--page", action="store_true", help="the page alone")
    if not parser.parse_args().page:
        results = built()
        for old in RESULTS.glob("????-??-??-coverage.json"):
            old.unlink()
        file = RESULTS / f"{datetime.date.today().isoformat()}-coverage.json"
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(json.loads(newest().read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
