"""The page and the command: a question each, its controls, its sentence, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from looped import BeyondSettings, beyond
from looped.cli import main
from looped.experiments.beyond import charts, depth_charts, strip, words
from looped.experiments.beyond.cost import BUDGET, estimate
from looped.experiments.beyond.lessons import BEYOND
from looped.experiments.beyond.settings import READS
from looped.experiments.beyond.stacks import stacks
from looped.fields import SettingsError
from looped.lesson import by_key
from tests.app import ROOT, alt, alts, answer, lines, metrics, numbers, open_page, press, run, set_value, spec, texts

VIEWS = tuple(READS)
LESSONS = by_key(BEYOND)
MAIN = {
    "append": ("Append, overwrite and explicit descent give the same 20 iterates", "largest gap"),
    "one-step": ("With the learned step", "diverge"),
    "more-loops": ("Trained on n = 20", "best loops, n = 20"),
    "rivals": ("loops to 1e-08", "EAGLE"),
    "depth": ("one loop leaves 0", "one Σ, L = 20"),
    "tied": ("with 2 times the covariance it is", "tied, Σ × 2"),
}
TRAINED = "After the 8 loops that were trained"


@pytest.mark.parametrize("view", VIEWS)
def test_every_question_has_a_picture_a_sentence_and_its_numbers(view):
    at = open_page("beyond", view=view, v="1")
    sentence, number = MAIN[view]
    asked = texts(at, "markdown")
    assert "What came out is said after your guess below." in asked
    assert sentence not in asked
    assert not metrics(at)
    assert TRAINED not in asked
    said = texts(answer(at), "markdown")
    assert "after your guess below" not in said
    assert sentence in said
    assert number in metrics(at)
    assert (TRAINED in said) == (view == "tied")
    assert alt(at, "main")
    assert len(spec(at, "main")["data"]) >= 3
    assert ("withstands larger inputs" in texts(at, "caption")) == (view == "tied")
    drawn = [box.key for box in at.sidebar.number_input if not box.disabled]
    keys = [BeyondSettings.table[name].key for name in READS[view] if BeyondSettings.table[name].kind != "choice"]
    assert drawn == keys


PROSE = (ROOT / "pages" / "beyond.md").read_text(encoding="utf-8").split("\n## ")[1:]
SECTIONS = {heading: " ".join(text.split()) for heading, _, text in (part.partition("\n") for part in PROSE)}
GIVEN = (
    "exact mean", "step 1/λ₁", "bound of the mean", "Gradient descent", "Heavy ball", "one covariance, n/d",
    "rotated, n/d", "its limit",
)  # fmt: skip


@pytest.mark.parametrize("lesson", BEYOND, ids=lambda lesson: lesson.key)
def test_only_what_a_question_gives_is_drawn_before_the_guess(lesson):
    at = open_page("beyond", lesson=lesson.key)
    settings = BeyondSettings(**lesson.settings)
    tokens = settings.view == "append"
    assert len(alts(at)) == 1 + tokens
    assert alt(at, "main").endswith("How its curves go on is not shown yet.")
    assert "annotations" not in spec(at, "main")["layout"]
    whole, begins = [], {"tied": [list(stacks().scales).index(1.0)]}
    for trace in spec(at, "main")["data"]:
        assert not trace["name"].startswith(("best number", "mean above"))
        if not trace["name"].startswith(GIVEN):
            drawn = np.flatnonzero(np.isfinite(numbers(trace["y"])))
            assert drawn.tolist() == begins.get(settings.view, [0])
            assert "markers" in trace["mode"]
        else:
            whole.append(trace["name"])
    assert bool(whole) == (settings.view not in ("more-loops", "tied") or settings.tested_on == "same")
    if tokens:  # nothing is appended yet
        cells = numbers(spec(at, "tokens")["data"][0]["z"]).reshape(-1, settings.examples + 1 + settings.loops)
        assert np.isfinite(cells).any(0).sum() == settings.examples + 1
    assert "How its curves go on" not in alt(answer(at), "main")
    found = beyond(settings).found
    assert len(alts(at)) >= len(charts.pictures(found)) - tokens


def test_the_first_picture_of_the_lesson_on_trained_layers_is_of_what_it_asks():
    at = open_page("beyond", lesson="tied")
    asked = "Relative loss of trained layers after 8 loops against the size of the inputs"
    assert alt(at, "main").startswith(asked)
    answer(at)
    assert alt(at, "main").startswith(asked)
    named = lines(spec(at, "main"))
    for row, name in enumerate(("tied layers, median; all 10 seeds lie on the line", "untied layers, median")):
        scales, losses = named[name]
        np.testing.assert_allclose(losses, np.median(stacks().by_scale[row], axis=0), rtol=1e-3)
        assert scales.tolist() == stacks().scales.tolist()


def test_a_band_that_a_line_hides_is_said_and_one_that_can_be_seen_is_drawn():
    """The seeds of tied layers are within 1 % of the axis of their median, those of untied ones are not."""
    kept = stacks()
    for picture, losses in (
        (depth_charts.scale_chart(kept), kept.by_scale),
        (depth_charts.stack_chart(kept), kept.by_loop),
    ):
        low, high = picture.spec["layout"]["yaxis"]["range"]
        widths = np.log10(losses.max(axis=1) / losses.min(axis=1)).max(axis=1) / (high - low)
        assert widths[0] < 0.01 < widths[1]
        assert list(lines(picture.spec)) == [
            "tied layers, median; all 10 seeds lie on the line", "untied layers, median", "untied, all 10 seeds",
        ]  # fmt: skip


def test_the_value_axes_name_what_medians_and_means_are_of():
    for view, title in (
        ("one-step", "‖w − w*‖², mean over tasks"), ("more-loops", "squared error ‖w − w*‖²"),
        ("append", "squared error ‖w − w*‖²"), ("tied", "loss relative to the answer 0"),
        ("depth", "loss relative to the answer 0"),
    ):  # fmt: skip
        found = beyond(BeyondSettings(view=view, prompts=100)).found
        assert charts.main_chart(found).spec["layout"]["yaxis"]["title"]["text"] == title


def test_the_main_labels_begin_with_their_letters():
    at = open_page("beyond")
    labels = {box.key: box.label for box in at.sidebar.number_input}
    assert [labels[key].split()[0] for key in ("T", "n", "d", "kappa")] == ["T", "n", "d", "κ"]


def test_a_question_keeps_the_settings_of_the_others():
    at = open_page("beyond", n="30", v="1")
    at.selectbox(key="view").set_value("rivals")
    run(at)
    at.selectbox(key="view").set_value("more-loops")
    run(at)
    assert at.number_input(key="n").value == 30
    assert "Trained on n = 30" in texts(at, "markdown")


def test_the_token_matrix_grows_when_the_query_is_appended():
    at = open_page("beyond", n="6", T="4", d="3", v="1")
    assert "grows from 7 to 11 tokens" in alt(at, "tokens")
    at.segmented_control(key="write").set_value("Overwrite")
    run(at)
    assert "stays 7 tokens wide" in alt(at, "tokens")


def test_what_costs_too_much_is_refused_in_one_sentence():
    at = open_page("beyond", view="one-step", d="64", n="2000", prompts="40000", v="1")
    (error,) = at.error
    assert "choose fewer prompts" in error.value
    with pytest.raises(SettingsError, match="choose fewer prompts"):
        beyond(BeyondSettings(view="more-loops", features=64, test_examples=2000, prompts=40_000))
    assert all(BUDGET.allows(estimate(BeyondSettings(view=view))) for view in VIEWS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--view sideways", "choose append, one-step, more-loops, rivals, depth or tied"),
        ("--T 0", "choose a whole number from 1 to 200"),
        ("--view rivals --n 30", "goes with --view append, --view one-step, --view more-loops, --view depth"),
        ("--view depth --prompts 300", "goes with --view one-step, --view more-loops"),
        ("--kappa-max 100", "goes with --view rivals"),
        ("--view tied --T 30", "goes with --view append, --view one-step, --view more-loops, --view depth"),
        ("--d 1 --kappa 3", "one has κ = 1"),
        ("--view rivals --target 2", "choose a number from 1e-12 to 0.1"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(capsys, options, said):
    with pytest.raises(SystemExit) as stopped:
        main(["beyond", *options.split()])
    caught = capsys.readouterr()
    assert stopped.value.code == 2
    assert said in caught.err
    assert len(caught.err.strip().splitlines()) == 1
    assert caught.out == ""


@pytest.mark.parametrize("view", VIEWS)
def test_the_command_gives_the_summary_and_the_files_repeat(capsys, view, tmp_path):
    options = ["beyond", "--view", view] + ["--d", "4"] * ("features" in READS[view])
    options += ["--T", "6"] * ("loops" in READS[view]) + ["--prompts", "100"] * ("prompts" in READS[view])
    found = []
    for folder in ("one", "two"):
        main([*options, "--out", str(tmp_path / folder)])
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    assert found[0]["headline"]["value"] > 0
    assert found[0]["view"] == view
    assert (tmp_path / "one" / "arrays.npz").read_bytes() == (tmp_path / "two" / "arrays.npz").read_bytes()
    with np.load(tmp_path / "one" / "arrays.npz") as arrays:
        assert all(array.dtype.kind in "fi" for array in arrays.values())


def test_the_verdict_is_true_of_the_numbers():
    for n in (4, 8, 20):
        found = beyond(BeyondSettings(view="more-loops", examples=n, prompts=500)).found
        sentence = words.verdict(found)
        for k, first in enumerate(found.contexts):
            middle = np.median(found.single["largest_factor"][k])
            part = sentence.split(f"Trained on n = {first} ")[1].split("Trained on")[0]
            assert ("**diverges**" in part) == (middle > 2)
            assert ("and 0 loops are best" in part) == (found.best[k] == 0)
    few = BeyondSettings(view="one-step", condition_number=1.0, prompts=100)
    assert "no prompt of 100 diverges" in words.verdict(beyond(few.replace(examples=2000, features=2)).found)
    assert "After 1 step the median error is" in words.verdict(beyond(few.replace(loops=1)).found)
    assert "give the same iterate**" in words.verdict(beyond(BeyondSettings(loops=1)).found)
    even = BeyondSettings(view="depth", condition_number=1.0, loops=1, prompts=100)
    assert "**one loop leaves 0**" in words.verdict(beyond(even).found)
    even = even.replace(covariance="rotated")
    assert "one loop leaves 0, since at κ = 1 a rotation changes nothing" in words.verdict(beyond(even).found)
    assert beyond(even).found.rotated[0] == 0


@pytest.mark.parametrize("settings", [
    {}, {"features": 1}, {"examples": 1, "features": 3}, {"loops": 1}, {"view": "more-loops", "loops": 200},
    {"view": "one-step"}, {"view": "one-step", "features": 1}, {"view": "one-step", "loops": 200, "examples": 1},
    {"view": "more-loops", "features": 1, "tested_on": "same"}, {"view": "rivals", "features": 1},
    {"view": "rivals", "largest_condition": 10.0}, {"view": "depth", "loops": 1}, {"view": "depth", "features": 1},
    {"view": "depth", "examples": 1, "features": 20}, {"view": "rivals", "features": 64, "target_error": 1e-12},
    {"view": "tied"}, {"loops": 200, "examples": 1}, {"view": "more-loops", "test_examples": 1},
], ids=str)  # fmt: skip
def test_every_chart_and_sentence_can_be_made_at_the_ends_of_the_settings(settings):
    fewer = {} if settings.get("view") == "rivals" else {"prompts": 100}
    result = beyond(BeyondSettings(**settings, **fewer))
    assert words.verdict(result.found)
    for picture in charts.pictures(result.found).values():
        assert picture.alt
        assert len({len(column) for column in picture.table.values()}) == 1
        picture.standing_alone()
    for number in strip.numbers(result.found):
        assert "nan" not in number.value
    assert json.dumps(result.found.results, allow_nan=False)


GRID = [
    {"view": "more-loops", "examples": n, "test_examples": m, "tested_on": where, "features": d}
    for n in (1, 20, 2000) for m in (5, 100) for where in ("identity", "same") for d in (1, 10)
] + [
    {"view": "depth", "examples": n, "features": d, "condition_number": kappa, "loops": T}
    for n in (3, 40) for d in (1, 10) for kappa in (1.0, 50.0) for T in (1, 20)
] + [
    {"view": view, "examples": n, "features": d, "loops": T}
    for view in ("append", "one-step") for n in (3, 500) for d in (1, 10) for T in (1, 40)
]  # fmt: skip


@pytest.mark.parametrize("settings", GRID, ids=str)
def test_what_is_to_be_noticed_is_true_of_the_result(settings):
    found = beyond(BeyondSettings(**settings, prompts=100)).found
    said = " ".join(words.notice(found))
    assert said
    assert "more loops help" not in said
    match settings["view"]:
        case "more-loops":
            a, b = np.median(found.single["largest_factor"], axis=1)
            labels = [number.label for number in strip.numbers(found)]
            assert labels[-1] == ("published bound" if found.bound is None else "above the bound")
            assert ("No published bound" in said) == (found.bound is None)
            explained = SECTIONS[strip.numbers(found)[-1].about]
            assert ("another covariance, Σ = I" in explained) == (found.bound is None)
            other = (found.settings.eigenvalues != 1).any() and found.settings.tested_on == "identity"
            assert other == (found.bound is None)
            legends = [trace["name"] for trace in charts.loops_chart(found).spec["data"]]
            mark = f"mean above the bound from loop {found.crossed} on"
            assert (mark in legends) == (found.crossed is not None)
            bound = f"bound of the mean for m → ∞, n = {settings['examples']}"
            assert any(legend.startswith(bound) for legend in legends) == (found.bound is not None)
            limit = f"mean for m → ∞, n = {settings['examples']}"
            on_it = found.bound is not None and np.allclose(found.bound, found.limit[0], atol=0)
            assert (limit in legends) != on_it == (f"{bound} (that mean lies on it)" in legends)
            assert a < b  # "A longer training context makes the learned step longer"
            assert ("stays above" in said) == (found.bound is not None and found.mean[-1] > found.bound[-1])
            sentence = words.verdict(found)
            parts = sentence.split("Trained on")
            for k, part in enumerate(parts[1:]):
                assert (f"all {found.settings.loops} loops are best" in part) == (found.best[k] == found.settings.loops)
            assert parts[0] == "" if found.bound is None else words.small(found.bound[-1]) in parts[0]
        case "depth":
            assert ("rotation changes nothing" in said) == (np.ptp(found.settings.eigenvalues) == 0)
            assert ("One loop leaves" in said) == (found.rotated[0] > 0)
            assert not found.unrotated or np.allclose(found.rotated_exact, found.fixed, rtol=1e-5)
            if "less, since" in said:
                assert found.limit[len(found.exact) - 1] < found.fixed[-1]
                assert found.rotated_limit[len(found.exact) - 1] < found.rotated_exact[-1]
            assert ("no depth brings" in said) == (settings["examples"] < settings["features"])
            labels = [number.label for number in strip.numbers(found)]
            assert len(set(labels)) == len(labels) == (3 if settings["loops"] == 1 else 5)
        case "one-step":
            assert ("No prompt diverges" in said) == (found.single["largest_factor"].max() <= 2)
            if "rule the mean" in said:
                assert found.statistics["fixed_mean"][-1] > 10 * found.statistics["fixed_median"][-1]


@pytest.mark.parametrize("settings", [
    {"view": "more-loops", "tested_on": "same", "examples": 20, "loops": 50, "test_examples": 2000},
    {"view": "more-loops", "condition_number": 1.0, "tested_on": "same", "examples": 2000, "loops": 200,
     "test_examples": 2000, "features": 2},
    {"view": "one-step", "examples": 2000, "features": 2, "condition_number": 1.0, "loops": 5},
    {"view": "one-step", "examples": 2000, "features": 2, "condition_number": 1.0, "loops": 200},
    {"view": "append", "examples": 2000, "features": 2, "condition_number": 1.0, "loops": 50},
    {"view": "depth", "examples": 16, "features": 8, "condition_number": 1.0, "loops": 200},
    {"view": "depth", "examples": 2000, "features": 1, "loops": 200}, *GRID,
], ids=str)  # fmt: skip
def test_every_line_is_at_its_values_and_leaves_the_chart_where_they_are_far_below_rounding(settings):
    found = beyond(BeyondSettings(**{"prompts": 100} | settings)).found
    for picture in charts.pictures(found).values():
        if picture.motion is not None or picture.spec["layout"]["yaxis"].get("type") != "log":
            continue
        low = picture.spec["layout"]["yaxis"]["range"][0]
        columns, words_said = picture.table, [note["text"] for note in picture.spec["layout"].get("annotations", ())]
        columns = [column for column in columns.values() if len(column) > 1]
        left = 0
        for trace in picture.spec["data"]:
            drawn = np.array(trace["y"], dtype=float)
            assert (np.log10(drawn[np.isfinite(drawn) & (drawn > 0)]) >= low - 1e-9).all()
            if trace["name"].endswith("n → ∞"):
                continue  # the line that is 0 after one loop
            gone = np.isnan(drawn) | np.isclose(np.log10(drawn), low, atol=1e-9)
            left += gone.any() and len(drawn) > 2 and drawn[0] < 1e9
            if "lines" in trace["mode"] and len(drawn) > 2 and not (drawn >= 1e9).any():
                kept = drawn[~gone]
                assert any(np.allclose(column[: len(drawn)][~gone], kept, 1e-9, 0) for column in columns), trace["name"]
        assert left == 0 or {"below 1e-30", "diverges"} & set(words_said)
        assert ("below 1e-30" in words_said) <= any((column < 1e-30).any() for column in columns)
    if settings["view"] == "more-loops":
        stars = [trace["y"] for trace in charts.loops_chart(found).spec["data"] if trace["name"].startswith("best num")]
        seen = found.medians.min(axis=1) >= 1e-30
        assert len(stars) == seen.any()
        assert all(np.isfinite(star).tolist() == seen.tolist() for star in stars)
        noticed = words.notice(found)[0]
        assert [text in noticed for text in (": the stars.", ": the star, and one that is", ": both below")] == [
            seen.sum() == count for count in (2, 1, 0)
        ]


def test_the_notice_of_the_rivals_names_what_was_fitted():
    every = " ".join(words.notice(beyond(BeyondSettings(view="rivals")).found))
    assert "Gradient descent κ^(1.00)" in every
    assert "EAGLE 2.85" in every
    assert "some more or fewer by the order of the sums" in every
    assert "Powers" not in " ".join(words.notice(beyond(BeyondSettings(view="rivals", largest_condition=100.0)).found))


@pytest.mark.parametrize("value", [2.001, 1.9996, 2.0049, 2 - 1e-12, 2.3, 0.5, 1e4])
def test_a_factor_beside_two_is_told_from_two(value):
    assert (float(words.beside_two(value)) > 2) == (value > 2)
    assert float(words.beside_two(value)) != 2


def test_a_loss_far_below_rounding_is_said_to_be_that():
    found = beyond(BeyondSettings(view="depth", examples=2000, features=1, loops=200, prompts=100)).found
    assert found.transformer[:, 1].max() < 1e-30
    card = strip.numbers(found)[-1]
    assert card.below.count("both below rounding") == 2
    assert card.passed
    assert "e-" not in words.small(7e-177).replace("1e-30", "")
    assert "n/d = 2000 " in words.verdict(found)
    fixed = beyond(BeyondSettings(view="one-step", examples=2000, loops=100, prompts=100)).found
    assert fixed.statistics["fixed_median"][-1] < 1e-100
    assert strip.numbers(fixed)[2].value == "below 1e-30"
    usual = beyond(BeyondSettings(view="depth", prompts=100)).found
    assert not usual.below_rounding.any()
    assert not replace(usual, transformer=usual.transformer * [[1.001, 1.0], [1.0, 1.0]]).passed
    assert not replace(usual, transformer=usual.transformer * [[1.0, 1.0], [1.0, 1.001]]).passed


@pytest.mark.parametrize("settings", [
    {"covariance": "same"}, {"covariance": "rotated"}, LESSONS["rotated"].settings, LESSONS["short-context"].settings,
    {"covariance": "rotated", "examples": 2000, "features": 4, "loops": 12}, {"loops": 1},
], ids=str)  # fmt: skip
def test_the_card_of_the_transformer_leads_with_the_case_and_has_what_is_compared_beside_it(settings):
    found = beyond(BeyondSettings(**{"view": "depth"} | settings)).found
    card = strip.numbers(found)[-1]
    assert card.label == f"transformer, L = {found.exact[-1]}"
    (first, case), (other, case_too) = enumerate(("one Σ", "rotated"))
    if found.settings.covariance == "rotated":
        (first, case), (other, case_too) = (other, case_too), (first, case)
    losses = [[words.small(loss) for loss in pair] for pair in found.transformer.tolist()]
    tiny = "both below rounding"
    compared = tiny if found.below_rounding[first] else f"by their eigenvalues {losses[first][1]}"
    too = tiny if found.below_rounding[other] else f"{losses[other][0]} and {losses[other][1]}"
    assert (card.value, card.below) == (losses[first][0], f"{case}, 8 prompts: {compared}; {case_too}: {too}")
    assert card.passed
    assert all(tiny or pair[0] == pair[1] for pair, tiny in zip(losses, found.below_rounding, strict=True))


@pytest.mark.parametrize("file", ["docs/theory/beyond.md", "pages/beyond.md", "looped/experiments/beyond/lessons.md"])
def test_its_prose_can_be_read_in_an_editor_of_120_columns(file):
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        assert len(line) <= 120 or line.startswith(("|", "- settings:")), line


def test_reset_brings_the_defaults_back():
    at = open_page("beyond", view="depth", n="5", v="1")
    press(at, "Reset to defaults")
    assert at.selectbox(key="view").value == "append"
    assert at.number_input(key="n").value == 20
    set_value(at, "number_input", "n", 12.0)
    assert "the same 20 iterates" in texts(answer(at), "markdown")
