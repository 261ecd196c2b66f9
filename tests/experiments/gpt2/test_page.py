"""The page on GPT-2 through Streamlit's AppTest."""

import pytest

from looped.experiments.gpt2 import training
from looped.experiments.gpt2.curves import stored
from looped.experiments.gpt2.settings import GPT2Settings
from tests.app import alt, chart, metrics, open_page, press, run, spec, texts, wait_for


def open_gpt2(**query):
    return open_page("gpt2", **query)


def test_the_stored_pair_of_the_defaults_is_there_on_the_first_visit_with_where_it_comes_from():
    at = open_gpt2()
    figure, said = chart(at, "kept")
    assert [trace["name"] for trace in figure["data"]][:2] == ["GPT-2 with MLP", "GPT-2 without MLP"]
    pair = [curve for curve in stored() if curve.settings.replace(mlp=True) == GPT2Settings()]
    assert metrics(at) == {
        f"GPT-2 {'with' if curve.settings.mlp else 'without'} MLP": f"{curve.risk.mean:.3g}" for curve in pair
    }
    for curve in pair:
        assert f"{curve.risk.mean:.3g} ± " in said
        assert f"on {curve.device}, {curve.date}" in texts(at)
    assert "python -m looped gpt2 --d 20 --n 40" in texts(at)


def test_every_stored_pair_can_be_chosen():
    at = open_gpt2()

    def box():
        return next(box for box in at.selectbox if box.label == "Stored training")

    assert len(box().options) == len(stored()) // 2 >= 2
    for name in box().options:
        box().set_value(name)
        run(at)
        pair = [curve for curve in stored() if name == label(curve.settings)]
        assert len(pair) == 2
        assert sorted(metric.value for metric in at.metric) == sorted(f"{curve.risk.mean:.3g}" for curve in pair)


def label(s):
    rate = f"{'falling' if s.decay else 'constant'} rate {s.learning_rate:g}"
    size = f"d = {s.features}, M = {s.examples}, {s.layers} layers, width {s.width}"
    return f"s = {s.signal:g}, {size}, {s.steps:,} steps, {rate}, seed {s.seed}"


def test_a_single_seed_stands_beside_the_others_of_its_setting():
    said = texts(open_gpt2())
    risks = {
        mlp: [c.risk.mean for c in stored() if c.settings.replace(seed=0) == GPT2Settings(mlp=mlp)]
        for mlp in (True, False)
    }
    with_mlp, without = (f"{min(risks[mlp]):.2g} to {max(risks[mlp]):.2g}" for mlp in (True, False))
    assert f"(0, 1, 2): with MLP {with_mlp}, without {without}; with MLP lower at 3 of 3" in said


def test_a_link_opens_the_stored_training_that_comes_nearest():
    for query, wanted in (
        ({"seed": "2"}, GPT2Settings(seed=2)),
        ({"signal": "0", "seed": "1"}, GPT2Settings(signal=0, seed=1)),
        ({"signal": "5"}, GPT2Settings(signal=5, examples=6, learning_rate=0.002, decay=False)),
    ):
        at = open_gpt2(**query)
        assert next(box for box in at.selectbox if box.label == "Stored training").value == label(wanted)


def test_both_models_train_on_the_page():
    pytest.importorskip("transformers")
    at = open_gpt2(d="2", n="3", signal="1", layers="1", width="8", batch="8", steps="30")
    press(at, "Train")
    wait_for(at, lambda: "on fresh prompts at the end" in (alt(at, "live") or ""))
    figure, said = chart(at, "live")
    assert [trace["name"] for trace in figure["data"]][:2] == ["GPT-2 with MLP", "GPT-2 without MLP"]
    assert said.count(" ± ") == 2


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
