"""The page on GPT-2 through Streamlit's AppTest."""

import numpy as np
import pytest

from looped.experiments.gpt2 import training, words
from looped.experiments.gpt2.curves import stored
from looped.experiments.gpt2.lessons import GPT2
from looped.experiments.gpt2.settings import GPT2Settings
from looped.numerals import with_error
from tests.app import alt, answer, chart, lines, open_page, press, run, spec, texts, wait_for


def open_gpt2(**query):
    return open_page("gpt2", **query)


def group_of(settings):
    return [curve for curve in stored() if curve.settings.replace(seed=0) in settings]


def box(at):
    return next(box for box in at.selectbox if box.label == "Stored training")


def test_the_stored_curves_of_the_defaults_are_there_on_the_first_visit_with_where_they_come_from():
    at = open_gpt2()
    assert "Final error: with MLP" not in texts(at)
    assert "not proved" not in texts(at)
    assert "fresh prompts at the end" not in alt(at, "kept")
    assert "lower with MLP" not in texts(at)
    answer(at)
    figure, said = chart(at, "kept")
    bare = GPT2Settings(mlp=False)
    models = {
        "GPT-2 with MLP": GPT2Settings(), "GPT-2 without MLP": bare,
        "GPT-2 without MLP, width 56": bare.replace(width=56), "GPT-2 without MLP, 6 layers": bare.replace(layers=6),
    }  # fmt: skip
    assert [trace["name"] for trace in figure["data"]][:4] == list(models)
    looks = {(trace["line"]["dash"], trace["marker"]["symbol"]) for trace in figure["data"][:4]}
    assert len(looks) == 4
    assert [trace.get("visible", True) for trace in figure["data"][:4]] == [True, True, True, "legendonly"]
    assert "A click on its name shows “GPT-2 without MLP, 6 layers”." in texts(at, "caption")
    (outcome,) = (text.value for text in at.markdown if "Final error: with MLP" in text.value)
    assert "not proved" in outcome  # a caption is out of sight in large type
    shown = lines(figure)
    for name, settings in models.items():
        seeds = group_of([settings])
        losses = np.array([[record.loss for record in curve.history] for curve in seeds])
        np.testing.assert_allclose(shown[name][1], np.sort(losses, 0)[1])
        for curve in seeds:
            assert " ± ".join(with_error(curve.risk.mean, curve.risk.standard_error)) in said
            assert f"on {curve.device}, {curve.date}" in texts(at)
    assert "Small GPT-2-style models, trained from scratch, 3 seeds each" in texts(at)
    assert "Other settings than on the left" not in texts(at)
    assert "python -m looped gpt2 --no-mlp --width 56" in texts(at)
    assert "python -m looped gpt2 --d 20 --n 40" in texts(at)


@pytest.mark.parametrize("lesson", GPT2, ids=lambda lesson: lesson.key)
def test_before_the_guess_only_beginnings_and_levels_are_drawn_and_then_every_seed_has_its_end(lesson):
    at = open_gpt2(lesson=lesson.key)
    group = next(group for group in words.groups(stored()) if group.settings == GPT2Settings(**lesson.settings))
    starts, levels, steps = lines(spec(at, "kept")), ("predict", "one linear block"), group.settings.steps
    assert [name for name in starts if not name.startswith(levels)] == ["GPT-2 with MLP", "GPT-2 without MLP"]
    for name, (x, _) in starts.items():
        assert x.tolist() == [1, steps] if name.startswith(levels) else len(x) > 1 and x.max() <= steps / 20
    assert "the middle one in a band" not in texts(at, "caption")
    answer(at)
    drawn = lines(spec(at, "kept"))
    columns = []
    for of, model in enumerate(group.models):
        x, y = drawn[f"GPT-2 {group.name(of)}, each seed"]
        assert y.tolist() == words.risks(model)
        columns.append(x)
    places = np.array(columns)  # (models, seeds): a column for a seed, in which the models stand side by side
    assert (places > steps).all()
    assert (np.diff(places, axis=0) > 0).all()
    assert places[-1, 0] < places[0, 1] < places[-1, 1] < places[0, 2]
    across = spec(at, "kept")["layout"]["xaxis"]
    assert across["title"]["text"] == "training steps"
    assert across["ticktext"][-4:] == [f"{steps:,}", "0", "1<br>seed", "2"]
    np.testing.assert_allclose(across["tickvals"][-3:], places.mean(axis=0))


@pytest.mark.parametrize("lesson", GPT2, ids=lambda lesson: lesson.key)
def test_nothing_that_a_lesson_shows_answers_the_question_of_another(lesson):
    at = answer(open_gpt2(lesson=lesson.key))
    for other in GPT2:
        (group,) = (group for group in words.groups(stored()) if group.settings == GPT2Settings(**other.settings))
        ends = [words.spread(words.risks(model)) for model in group.models[:2]]
        assert (f"| {words.label(group.settings)} | {' | '.join(ends)} |" in texts(at)) == (other is lesson)
        assert any(end in texts(at) for end in ends) == (other is lesson)


def test_every_stored_setting_can_be_chosen_and_all_but_those_of_other_lessons_stand_in_the_table():
    at = answer(open_gpt2())
    named = {words.label(group.settings): group for group in words.groups(stored())}
    assert box(at).options == list(named)
    assert len(named) >= 5
    table = next(text.value for text in at.markdown if text.value.startswith("| setting |"))
    asked = [words.label(GPT2Settings(**lesson.settings)) for lesson in GPT2]
    for name, group in named.items():
        assert (f"| {name} |" in table) == (name not in asked[1:])
        box(at).set_value(name)
        run(at)
        if words.headline(group) not in texts(at):  # the setting is a lesson's, which asks first
            answer(at)
        assert words.headline(group) in texts(at)
        assert "Other settings than on the left" not in texts(at)
        assert at.number_input(key="signal").value == group.settings.signal
        assert at.toggle(key="decay").value == group.settings.decay


def test_a_link_opens_the_stored_training_that_comes_nearest():
    for query, wanted in (
        ({"seed": "2"}, GPT2Settings()),
        ({"signal": "0", "seed": "1"}, GPT2Settings(signal=0)),
        ({"signal": "5"}, GPT2Settings(signal=5, examples=6, learning_rate=0.002, decay=False)),
    ):
        at = open_gpt2(**query)
        assert box(at).value == words.label(wanted)
        assert ("Other settings than on the left" in texts(at)) == (query.get("signal") == "5")


def test_all_three_models_train_on_the_page():
    pytest.importorskip("transformers")
    at = open_gpt2(d="2", n="3", signal="1", layers="1", width="8", batch="8", steps="30")
    press(at, "Train")
    wait_for(at, lambda: "on fresh prompts at the end" in (alt(at, "live") or ""))
    figure, said = chart(at, "live")
    names = ["GPT-2 with MLP", "GPT-2 without MLP", "GPT-2 without MLP, width 14"]
    assert [trace["name"] for trace in figure["data"]][:3] == names
    assert said.count(" ± ") == 3


def test_a_width_that_the_heads_do_not_divide_is_said():
    at = open_gpt2(width="33", heads="2")
    press(at, "Train")
    wait_for(at, lambda: "no multiple of heads = 2" in texts(at).replace("\\", ""))


def test_a_size_that_a_page_cannot_offer_is_refused_in_one_sentence():
    at = open_gpt2(d="20", n="40", layers="6", heads="4", width="128", batch="256", steps="200000")
    press(at, "Train")
    assert "choose fewer, a smaller size, or the command" in texts(at).replace("\\", "")


def test_without_transformers_the_rest_of_the_page_works_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(training.importlib.util, "find_spec", lambda _: None)
    at = open_gpt2()
    assert "pip install -r requirements.txt" in texts(at).replace("\\", "")
    assert spec(at, "kept") is not None
    assert spec(at, "live") is None
