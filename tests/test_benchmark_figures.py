"""What `dev.py bench` computes of its rounds; the speed itself is no business of the tests."""

import json
from itertools import pairwise
from xml.etree import ElementTree

from benchmarks.figures import Figure, at_least, at_most, line, percentile, ratios, row_of
from benchmarks.plot import plot, series_of
from benchmarks.written import cells


def figure(*values: float, **more: object) -> Figure:
    return Figure("warm", "sqlite", "product", "/s", values, **more)  # type: ignore[arg-type]


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    """The machine was three times slower in the second round, for both."""
    found = figure(80, 30, 90, others=(100, 30, 100), beside="bare")

    assert found.ratios == [0.8, 0.9, 1.0]
    assert found.ratio == 0.9


def test_a_ratio_has_a_mark_where_the_rounds_differ_more_than_the_two() -> None:
    noisy = figure(90, 110, 100, others=(100, 100, 100))
    clear = figure(50, 51, 52, others=(100, 100, 100))

    assert noisy.is_noisy
    assert "[0.90-1.10] ~" in line(row_of(noisy))
    assert not clear.is_noisy
    assert "~" not in line(row_of(clear))


def test_a_goal_is_of_the_ratio_or_of_the_value() -> None:
    of_ratio = figure(40, others=(100,), goal=at_least(0.5))
    of_value = figure(40, others=(100,), goal=at_most(50, "value"))

    assert of_ratio.missed
    assert "MISSED >= 0.5" in line(row_of(of_ratio))
    assert not of_value.missed
    assert "met <= 50 /s" in line(row_of(of_value))
    assert not figure(1).missed


def test_nothing_to_compare_with_is_no_ratio() -> None:
    assert ratios((1, 2), ()) == []
    assert ratios((1, 2), (0, 4)) == [0.5]
    assert not figure(1).is_noisy


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]

    assert percentile(values, 0.5) == 51
    assert percentile(values, 0.95) == 96
    assert percentile(values, 1) == 100
    assert percentile([7.0], 0.99) == 7


def test_the_json_has_what_the_table_says_and_each_round() -> None:
    found = json.loads(
        json.dumps(figure(80, 30, 90, others=(100, 30, 100), goal=at_least(0.85)).as_json())
    )

    assert found["values"] == [80, 30, 90]
    assert (found["value"], found["ratio"], found["spread"]) == (80, 0.9, [0.8, 0.9, 1.0])
    assert (found["goal"], found["met"]) == (">= 0.85", True)


def grown(name: str, **points: float) -> dict[str, object]:
    made = figure(1.0, 1.0, others=(1.0, 1.0)).as_json()
    sizes = {size.removeprefix("n"): ms for size, ms in points.items()}
    return made | {"section": "growth", "name": f"{name}, made anew, 5,000", "extra": sizes}


def test_the_plot_has_a_named_line_for_each_page_and_no_script() -> None:
    run = {"figures": [grown("index", n24=2.5, n5000=2.6), grown("product", n24=1.2, n5000=1.2)]}

    picture = plot(series_of(run))

    root = ElementTree.fromstring(picture)
    names = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"24", "5,000", "index 2.6", "product 1.2"} <= set(names)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 2
    assert "<script" not in picture
    assert "prefers-color-scheme: dark" in picture


def test_names_in_the_plot_do_not_stand_on_each_other() -> None:
    same = {f"page {number}": {24: 1.0, 5000: 2.0} for number in range(4)}

    root = ElementTree.fromstring(plot(same))

    heights = sorted(
        float(each.attrib["y"])
        for each in root.iter("{http://www.w3.org/2000/svg}text")
        if (each.text or "").startswith("page")
    )
    assert all(below - above >= 16 for above, below in pairwise(heights))


def test_a_figure_is_written_into_a_table_as_on_the_terminal() -> None:
    made = figure(80, 30, 90, others=(100, 30, 100), beside="bare", goal=at_least(0.95)).as_json()

    assert cells(made) == [
        "product",
        "80 /s",
        "",
        "100 bare",
        "",
        "0.90 [0.80 to 1.00] ~",
        "**missed**: ≥ 0.95",
    ]
