"""What `dev.py bench` computes of its rounds; the speed itself is no business of the tests."""

import json

from benchmarks.figures import Figure, at_least, at_most, line, percentile, ratios, row_of


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
