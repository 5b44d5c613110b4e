"""The page of a run: whole, self-contained, readable without looking at it."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace

import pytest
from prunecell.cli.lab.html.page import page
from report_runs import run


def parsed(text: str) -> ET.Element:
    """The page is XML as well, so that one missing end tag is found."""
    return ET.fromstring(text.removeprefix("<!doctype html>"))


@pytest.mark.parametrize(
    ("cells", "epochs"), [(3, 8), (1, 1), (0, 3), (40, 8), (7, 2), (3, 0)], ids=str
)
def test_every_page_is_whole_and_needs_nothing_else(cells: int, epochs: int) -> None:
    text = page(run(cells, epochs))
    root = parsed(text)
    assert not re.search(r"https?://|url\(|@import|<script|<link rel=.stylesheet", text)
    assert not re.search(r' (?:[xy][12]?|c[xy]|d|width)="[^"]*(?:nan|inf)', text)
    ids = Counter(one.get("id") for one in root.iter() if one.get("id"))
    assert set(ids.values()) == {1}
    for one in root.iter():
        for name in (one.get("aria-labelledby") or "").split():
            assert name in ids


def test_every_chart_has_words_and_a_table() -> None:
    root = parsed(page(run()))
    figures = list(root.iter("figure"))
    assert len(figures) == 4 + 3
    for figure in figures:
        drawing = next(one for one in figure.iter("svg") if one.get("role") == "img")
        assert drawing.find("title").text and drawing.find("desc").text
        assert figure.find("figcaption").text
        rows = figure.findall("details//tbody/tr")
        assert len(rows) in (8, 41)
    hidden = [one for one in root.iter("svg") if one.get("role") is None]
    assert all(one.get("aria-hidden") == "true" for one in hidden)


def test_tables_name_rows_and_columns() -> None:
    for table in parsed(page(run())).iter("table"):
        columns = table.findall("thead/tr/th")
        assert all(one.get("scope") == "col" for one in columns)
        assert table.find("caption").text
        for row in table.findall("tbody/tr") + table.findall("tfoot/tr"):
            assert len(row) == len(columns)
            assert row[0].tag == "th" and row[0].get("scope") == "row"


def cells(root: ET.Element, caption: str) -> list[list[str]]:
    table = next(t for t in root.iter("table") if t.find("caption").text == caption)
    return [["".join(cell.itertext()) for cell in row] for row in table.findall(".//tr")]


def test_numbers_are_those_of_the_run() -> None:
    root = parsed(page(run()))
    layers = cells(root, "Layers after epoch 8")
    assert layers[1] == ["block0.<conv>", "", "80.30 %", "80.00 %", "5.00 %", "197", "1,000"]
    assert layers[2][4] == "-"  # no start
    assert layers[-1][:3] == ["all", "", "81.30 %"]
    assert layers[-1][5:] == ["561", "3,000"]
    sizes = cells(root, "Bytes of the final model")
    assert sizes[1][2:] == ["1.4 kB", "4 kB", "2.86x", "68.30 %", "float32", "10x100"]
    assert sizes[-1][:5] == ["all", "", "4.2 kB", "12 kB", "2.86x"]
    tiles = ["".join(one.itertext()) for one in root.iter("dd")]
    assert "2.40x" in tiles and "12 kB of weights in a file of 5 kB" in tiles
    accuracy = cells(root, "Test accuracy")
    assert accuracy[1:3] == [["1", "50.00 %"], ["2", "75.00 %"]]
    assert cells(root, "Training loss")[2] == ["2", "nan"]
    assert cells(root, "Weights pruned")[8] == ["8", "80.30 %", "81.30 %", "82.30 %"]


def drawing(root: ET.Element, name: str) -> ET.Element:
    return next(one for one in root.iter("svg") if one.get("aria-labelledby", "").startswith(name))


@pytest.mark.parametrize(("cells", "lines"), [(1, 1), (3, 3), (40, 1)])
def test_one_epoch_is_dots_in_every_chart(cells: int, lines: int) -> None:
    root = parsed(page(run(cells, epochs=1)))
    together = cells > 1  # a dot for all layers
    for name, count in (("sparsity", lines + together), ("threshold", lines), ("accuracy", 1)):
        chart = drawing(root, name)
        assert len(list(chart.iter("circle"))) == count, name
        groups = [one for one in chart.iter("g") if one.get("class") == "dots sall"]
        assert len(groups) == (together if name == "sparsity" else 0)
        assert all(float(one[0].get("r")) > 5 for one in groups)  # seen behind those of layers
        bands = [one.get("d") for one in chart.iter("path") if one.get("class") == "band"]
        assert all(len(set(re.findall(r"[ML]([\d.]+)", band))) == 2 for band in bands)


@pytest.mark.parametrize("loss", [1e-7, 0.02, 2.0, 123456.0, 1.7e300])
def test_labels_of_an_axis_have_room_on_its_left(loss: float) -> None:
    shown = run()
    shown.epochs[:] = [replace(epoch, loss=loss) for epoch in shown.epochs]
    labels = [one for one in parsed(page(shown)).iter("text") if one.get("class") == "tick end"]
    assert len(labels) > 20
    assert all(float(one.get("x")) >= 8 * len(one.text) for one in labels)


def test_the_best_accuracy_is_that_of_epochs_as_pruned_as_the_last() -> None:
    shown = run(epochs=8)
    last = shown.epochs[-1]
    for index, accuracy in ((0, 0.99), (6, 0.97), (7, 0.96)):
        pruned = last.cells if index >= 6 else shown.epochs[index].cells
        shown.epochs[index] = replace(shown.epochs[index], accuracy=accuracy, cells=pruned)
    text = page(shown)
    assert text.count("best at the final thresholds 97.00 %") == 2  # a tile, words of the chart


def test_totals_that_count_different_things_say_so() -> None:
    text = page(run())
    assert "Pruned are weights that a mask of these layers holds at 0." in text
    assert "their total is not that of the pruned weights above" in text


def test_cells_of_tables_with_bars_know_their_columns() -> None:
    stacked = [one for one in parsed(page(run())).iter("table") if one.get("class") == "stacked"]
    assert len(stacked) == 2  # a phone shows them without the row of headers
    for table in stacked:
        header = [cell.text for cell in table.findall("thead/tr/th")]
        for row in table.findall("tbody/tr") + table.findall("tfoot/tr"):
            assert [cell.get("data-column") for cell in row] == [None, *header[1:]]


@pytest.mark.parametrize("loss", [0.02, 0.83, 1.108, 123456.0])
def test_no_loss_lies_above_the_highest_line_of_its_axis(loss: float) -> None:
    shown = run()
    shown.epochs[:] = [replace(epoch, loss=loss) for epoch in shown.epochs]
    chart = drawing(parsed(page(shown)), "loss")
    lines = [float(one.get("y1")) for one in chart.iter("line") if one.get("class") == "grid"]
    assert all(float(one.get("cy")) >= min(lines) for one in chart.iter("circle"))


def test_bars_are_as_long_as_their_numbers() -> None:
    root = parsed(page(run()))
    fills = [float(one.get("width")) for one in root.iter("rect") if one.get("class") == "fill"]
    assert fills[:4] == pytest.approx([80.3, 81.3, 82.3, 81.3])


def test_many_layers_become_a_band() -> None:
    text = page(run(cells=40))
    assert "lowest to highest layer" in text and 'class="band"' in text
    assert "lowest to highest layer" not in page(run(cells=6))


@pytest.mark.parametrize(
    ("layers", "said"), [(61, "And 1 layer more."), (63, "And 3 layers more.")]
)
def test_the_first_sixty_layers_have_histograms(layers: int, said: str) -> None:
    text = page(run(layers))
    assert said in text
    assert len(list(parsed(text).iter("figure"))) == 4 + 60


def test_layers_that_do_the_same_are_one_line() -> None:
    same = run(cells=3)
    together = "block0.&lt;conv&gt;, block1.&lt;conv&gt;, block2.&lt;conv&gt;</li>"
    assert together not in page(same)
    for epoch in same.epochs:
        names = list(epoch.cells)
        epoch.cells[names[1]] = epoch.cells[names[2]] = epoch.cells[names[0]]
    assert page(same).count(together) == 1  # the threshold's chart has one line, hence no legend


def test_a_run_that_goes_on_says_so() -> None:
    text = page(run(epochs=3, planned=8))
    assert "3 of 8" in text and "not finished yet" in text
    assert "Bytes" not in text and "Weights before" not in text
    assert "No epoch is finished yet" in page(run(epochs=0))


def test_both_colour_schemes_and_print_are_styled() -> None:
    text = page(run())
    assert '<meta name="color-scheme" content="light dark"/>' in text
    assert "prefers-color-scheme: dark" in text and "@media print" in text
    style = text[text.index("<style>") : text.index("</style>")]
    light, dark = (re.findall(r"(--\w+): (#\w+)", part) for part in style.split("@media screen", 1))
    names = [name for name, _ in light]
    assert names == [name for name, _ in dark]
    for colours in (dict(light), dict(dark)):
        for name in ("--text", "--soft", "--s0", "--s1", "--s2", "--s3", "--s4", "--s5"):
            assert contrast(colours[name], colours["--card"]) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(luminance(colour) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_a_title_of_ones_own() -> None:
    assert "<h1>Mine &amp; yours</h1>" in page(run(), "Mine & yours")
