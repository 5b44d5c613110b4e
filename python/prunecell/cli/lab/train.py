"""`prunecell train`: the network of an INI file, trained and pruned."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from prunecell import __version__
from prunecell.cli import console, terminal
from prunecell.cli.errors import CommandError, UsageError
from prunecell.cli.files import check_readable
from prunecell.cli.lab.data import load_data
from prunecell.cli.lab.folder import Folder
from prunecell.cli.lab.options import NAMES, Options, continued, fresh


def run(arguments: argparse.Namespace) -> None:
    """Runs the command.

    Raises:
        UsageError: Options out of range, or others than those that the run was begun with.
        CommandError, BadFile: PyTorch, the data or a file of the run is missing or damaged.
    """
    check_readable(arguments.ini)
    folder = Folder(arguments.out)
    given = {name: getattr(arguments, name) for name in NAMES}
    folder.check(resume=arguments.resume)
    if arguments.resume:
        folder.check_checkpoint()
    before = None
    if arguments.resume and folder.description.is_file():
        before = folder.read_description()
        options = continued(given, before["options"], len(folder.read_log()))
    else:
        options = fresh(given)
    record = _train(arguments.ini, options, folder, before)
    if arguments.json:
        console.show_json(record | {"run": str(folder.root)})
    else:
        share = terminal.share_text(record["sparsity"])
        accuracy = terminal.share_text(record["accuracy"])
        epochs = terminal.count_text(record["epoch"], "epoch")
        console.show(f"{folder.root}: {epochs}, {accuracy} right, {share} pruned")
        console.show(f"prunecell report {folder.root} -o report.html shows it")


def _train(
    ini: Path, options: Options, folder: Folder, before: dict[str, Any] | None
) -> dict[str, Any]:
    try:
        import torch

        import prunecell.torch
        from prunecell.cli.lab.loop import Training
        from prunecell.cli.lab.network import Network
    except ImportError as error:
        if error.name != "torch":
            raise
        needs = "training needs PyTorch: pip install 'prunecell[torch]'"
        missing = isinstance(error, ModuleNotFoundError)
        raise CommandError(needs if missing else str(error)) from None
    from prunecell.formats import save

    if options.threads:
        torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    data = load_data(options.data)
    network = Network(ini, options.seed)
    data = data.fitted(network.input_shape())
    network.check(data)
    network.check_batch(data, options.batch)
    identity = {"ini_sha256": network.digest(), "data_sha256": data.digest}
    if before is not None and identity != {key: before.get(key) for key in identity}:
        changed = ini if identity["ini_sha256"] != before.get("ini_sha256") else options.data
        raise UsageError(f"{changed}: is not what it was when the run was begun; begin another run")
    with folder.making():
        if not folder.checkpoint.is_file():
            save(network.unpruned(), folder.initial, pack=False)
        training = Training(network, data, options, folder)
        if folder.checkpoint.is_file():
            training.restore()
        folder.describe(
            identity
            | {
                "ini": str(ini),
                "options": options.as_dict(),
                "starts": network.starts(),
                "images": {"train": len(data.labels), "test": len(data.test_labels)},
                "threads": torch.get_num_threads(),
                "versions": {"prunecell": __version__, "torch": torch.__version__},
            }
        )
        training.run()
        save(prunecell.torch.dense_state_dict(network.module), folder.final)
    return training.records[-1]
