"""The two views of one prompt through Streamlit's AppTest: computed only when opened, and their sentences."""

import pytest

from looped import Settings, compare
from looped.experiments.compare.modes import split
from looped_ui import backend
from tests.app import alts, numbers, open_page, run, spec, texts


@pytest.fixture
def runs(monkeypatch):
    """The settings of every run of `compare` that is not answered from a cache."""
    asked = []

    def counted(settings, *rest):
        asked.append(settings)
        return compare(settings, *rest)

    monkeypatch.setattr(backend, "compare", counted)
    for cached in (backend.kept_comparison, backend.comparison, backend.look):
        cached.clear()
    return asked


def test_closed_views_compute_and_draw_nothing(runs):
    at = open_page(seed="4711")
    assert len(alts(at)) == 2
    assert runs.count(Settings(seed=4711)) == 1


def test_open_views_and_a_tolerance_need_no_run_of_their_own(runs):
    at = open_page(seed="4712", modes="true", inside="true")
    assert len(alts(at)) == 5
    settings = Settings(seed=4712)
    assert runs.count(settings) == 1
    before = texts(at)
    at.select_slider(key="tolerance").set_value(1e-6)
    run(at)
    assert runs.count(settings) == 1
    assert texts(at) != before
    needed = split(compare(settings)).loops_to(1e-6)[9]
    assert f"{needed:.0f} loops until it is below 1e" in texts(at)


def test_another_prompt_is_another_look_at_the_same_run(runs):
    at = open_page(prompts="3", seed="4713", modes="true", inside="true")
    at.number_input(key="prompt").set_value(3)
    run(at)
    assert len(runs) == 1
    player = next(chart for chart in at.get("plotly_chart") if chart.proto.alt.startswith("Prompt 3 inside the loop"))
    assert len(player.proto.spec) < 300_000
    at.number_input(key="prompts").set_value(2)  # there is no third prompt any more
    run(at)
    assert any(alt.startswith("Prompt ") for alt in alts(at))


def test_a_link_opens_the_views_at_its_prompt_and_tolerance():
    at = open_page(modes="true", inside="true", prompt="3", tolerance="1e-06")
    assert at.number_input(key="prompt").value == 3
    assert at.select_slider(key="tolerance").value == 1e-6
    assert [alt.startswith(("Error of prompt 3", "Prompt 3")) for alt in alts(at)] == [False, False, True, False, True]
    assert not at.warning


def test_the_button_sets_the_optimal_step():
    at = open_page(modes="true")
    at.button(key="set_optimal").click()
    run(at)
    assert at.button_group(key="step_marks").value == "optimal"
    assert at.button(key="set_optimal").disabled
    now = next(trace for trace in spec(at, "rate-chart")["data"] if str(trace.get("name")).startswith("η now"))
    modes = split(compare(Settings()))
    assert numbers(now["x"])[0] == pytest.approx(modes.optimal_step)


@pytest.mark.parametrize(
    ("algorithm", "charts"),
    [("gd", 5), ("ridge", 5), ("preconditioned", 5), ("heavy-ball", 3), ("softmax", 3), ("gd++", 2), ("newton", 2)],
)
def test_a_view_is_offered_where_the_algorithm_has_it_and_then_opens(algorithm, charts):
    at = open_page(algorithm=algorithm, modes="true", inside="true")
    assert len(alts(at)) == charts
    offered = [panel.label.partition(":")[0] for panel in at.expander]
    assert ("Eigen-modes" in offered) == (charts == 5)
    assert ("Inside the loop" in offered) == (charts > 2)


@pytest.mark.parametrize(
    ("algorithm", "said"),
    [
        ("gd", "each times its score, moves the query: Δ = −(η/n) P Z 𝓜 (ZᵀQz). "),
        ("ridge", "Δ = −(η/n) P Z 𝓜 (ZᵀQz) − η𝓚z. "),
        ("heavy-ball", "Δ = −(η/n) P Z 𝓜 (ZᵀQz) + (𝓐 − I)z. Its rows w′ hold the iterate of the loop before."),
        ("softmax", "each times its weight, moves the query: Δ = −η P Z 𝓜 softmax(ZᵀQz). "),
    ],
)
def test_the_inside_says_what_moves_the_query(algorithm, said):
    assert said in texts(open_page(algorithm=algorithm, inside="true"))


@pytest.mark.parametrize(
    "query",
    [
        {"d": "200", "n": "400", "T": "1000"}, {"d": "1"}, {"n": "1"}, {"step": "1000000"}, {"T": "1"},
        {"data": "diabetes", "T": "2000"}, {"algorithm": "ridge"},
        {"algorithm": "preconditioned", "data": "correlated"}, {"dtype": "float32", "layout": "slots"}, {"kappa": "1"},
    ],
    ids=str,
)  # fmt: skip
def test_both_views_open_whatever_is_set(query):
    at = open_page(modes="true", inside="true", **query)
    assert len(alts(at)) >= 5
