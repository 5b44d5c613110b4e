"""Counts, scales and texts that reports and terminals share."""

import numpy as np
import pytest
from prunecell.cli import terminal
from prunecell.cli.lab.html.svg import axis_end, epoch_ticks, path, tag, ticks
from prunecell.cli.lab.weights import BINS, histograms
from prunecell.cli.magnitudes import Magnitudes, count_magnitudes


def test_histograms_count_every_weight_once() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(0, 1, (40, 50))
    after = np.where(np.abs(before) > 1, before, 0)
    counts = histograms(before, after)
    assert sum(counts.before) == before.size == counts.size
    assert counts.zeros == np.count_nonzero(after == 0)
    middle = slice(BINS // 2 - 5, BINS // 2 + 6)
    assert sum(counts.after[middle]) == 0 < sum(counts.before[middle])
    assert counts.limit < np.abs(before).max()


@pytest.mark.parametrize("weights", [np.zeros(9), np.empty(0), np.array([np.nan, np.inf, 0.0])])
def test_histograms_of_odd_weights(weights: np.ndarray) -> None:
    counts = histograms(weights, weights)
    assert counts.limit == 1.0 and sum(counts.after) == 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_magnitudes_over_chunks(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    monkeypatch.setattr("prunecell.cli.magnitudes._CHUNK", 7)
    weights = np.array([0, -0.0, 1, -1.5, 2, 0.25, np.nan, -np.inf, np.inf] * 5, dtype=dtype)
    counts = count_magnitudes(weights.view(f"u{weights.itemsize}"), dtype)
    assert counts == Magnitudes(10, 5, 10, {0: 10, 1: 5, -2: 5})
    assert counts.size == weights.size


def test_magnitudes_of_bfloat16() -> None:
    bits = (np.array([1, -3, 0], np.float32).view(np.uint32) >> 16).astype(np.uint16)
    assert count_magnitudes(bits, "bfloat16") == Magnitudes(1, 0, 0, {0: 1, 1: 1})


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.5, 1, [0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        (-0.43, 0.43, [-0.4, -0.2, 0, 0.2, 0.4]),
        (0, 1234, [0, 500, 1000]),
        (3, 3, [3]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high, 6) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("highest", "end"), [(0.82, 1.0), (1.108, 1.5), (2.0, 2.0), (4.99, 5.0), (0, 1.0)]
)
def test_axes_end_at_a_tick(highest: float, end: float) -> None:
    assert axis_end(highest, 6) == pytest.approx(end)
    assert ticks(0, end, 6)[-1] == pytest.approx(end)


@pytest.mark.parametrize("last", [1, 2, 7, 8, 9, 30, 99, 100, 5000])
def test_epoch_ticks_are_whole_few_and_within(last: int) -> None:
    shown = epoch_ticks(1, last, 8)
    assert shown == sorted(set(shown)) and len(shown) <= 9
    assert shown[0] == 1 and shown[-1] <= last
    assert all(isinstance(one, int) for one in shown)


def test_lines_and_steps() -> None:
    assert path([(0, 1), (2, 3)]) == "M0.0 1.0L2.0 3.0"
    assert path([(0, 1), (2, 3)], steps=True) == "M0.0 1.0H2.0V3.0"


def test_markup_is_escaped() -> None:
    assert tag("a", "x", title='<"&', class_="b", aria_label=None) == (
        '<a title="&lt;&quot;&amp;" class="b">x</a>'
    )


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1234, "1.23 kB"), (999_600, "1 MB"), (5e13, "50 TB")],
)
def test_bytes(count: float, text: str) -> None:
    assert terminal.bytes_text(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 tensors"), (1, "1 tensor"), (1234, "1,234 tensors")]
)
def test_counts(count: int, text: str) -> None:
    assert terminal.count_text(count, "tensor") == text
    irregular = terminal.count_text(count, "entry", "entries")
    assert irregular == text.replace("tensors", "entries").replace("tensor", "entry")


def test_tables_fit_the_terminal() -> None:
    rows = [["a.very.long.name.of.a.layer.weight", "12"], ["b", "3"]]
    header, totals = ["tensor", "n"], [["all", "15"]]
    text = terminal.table(header, rows, totals, words={0}, width=24)
    assert max(map(len, text.splitlines())) <= 24
    assert text.splitlines()[1] == "a.v.l.n.o.a.l.weight  12"
    assert text.splitlines()[3] == "-" * 24


def test_columns_give_way_before_names_do() -> None:
    header, totals = ["tensor", "kind", "n", "note"], [["all", "", "12", "none"]]
    rows = [["encoder.layer.weight", "dense", "12", "a remark"]]

    def lines(width: int) -> list[str]:
        text = terminal.table(header, rows, totals, words={0, 1, 3}, droppable=(3, 1), width=width)
        return text.splitlines()

    assert lines(41)[1] == "encoder.layer.weight  dense  12  a remark"
    assert lines(40)[1] == "encoder.layer.weight  dense  12"
    assert lines(30)[1] == "encoder.layer.weight  12"
    assert lines(23)[1] == "e.layer.weight  12"
    assert lines(16)[:2] == ["tensor       n", "e.l.weight  12"]
    assert lines(16)[3] == "all         12"


@pytest.mark.parametrize("width", [1, 6, 9, 12, 20])
def test_different_names_are_never_shown_alike(width: int) -> None:
    names = [f"layer{n}.{part}.weight" for n in (1, 2, 11) for part in ("query", "quotient", "key")]
    names += ["l1.k.w", "l1.key.w", "lime1.key.w", "x" * 40 + "1" + "x" * 40, "x" * 81, "", "..."]
    shown = terminal.shorten_names(names, width)
    assert list(shown) == names and len(set(shown.values())) == len(names)


def test_names_are_shortened_in_time_that_grows_with_their_length() -> None:
    name = "1." * 500_000 + "1" * 500_000 + "x"
    assert len(terminal.shorten_names([name], 20)[name]) == 20


def test_histograms_lump_what_is_rare_and_far() -> None:
    counts = Magnitudes(50, 1, 2, {-40: 1, -5: 3000, -4: 6000})
    lines = terminal.histogram(counts, width=60, unicode=False).splitlines()
    labels = ["0", "< 0.0312", "0.0312 .. 0.0625", "0.0625 .. 0.125", "Inf", "NaN"]
    assert [line.strip().split("  ")[0] for line in lines] == labels
    assert lines[3].count("#") == 2 * lines[2].count("#") - 1 > 0
    assert terminal.sparkline(counts, -5, -4, unicode=True) == "▅█"
