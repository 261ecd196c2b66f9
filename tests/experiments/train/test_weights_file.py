"""Weights travel in an arrays.npz, and other files are refused in one sentence."""

import io
import json
import re
import zipfile

import numpy as np
import pytest

from looped import export
from looped.experiments.train import TrainResult, cost, evaluate
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.weights_file import MOST_BYTES, pack, read_weights, unpack, weights_from
from looped.fields import SettingsError
from tests.thorough import thorough_but

DEFAULT = TrainSettings()


def npz(**named):
    out = io.BytesIO()
    np.savez(out, allow_pickle=True, **named)
    return out.getvalue()


def test_a_run_comes_back_from_its_file_whole(small):
    content = export.of(small).file("arrays.npz")
    with np.load(io.BytesIO(content), allow_pickle=False) as named:
        again = unpack(dict(named))
    assert pack(again).keys() == pack(small).keys()
    for name, values in pack(small).items():
        assert pack(again)[name].tobytes() == values.tobytes(), name


def test_tied_weights_are_two_matrices_and_untied_ones_two_stacks(small):
    assert pack(small)["P"].shape == (3, 3)
    stack = np.ones((2, 3, 3))
    untied = TrainResult(TrainSettings(loops=2, features=2, untied=True), stack, stack, {}, "")
    assert pack(untied)["Q"].shape == (2, 3, 3)


def test_weights_are_evaluated_with_the_settings_of_their_own_run(small):
    run = weights_from(export.of(small).file("arrays.npz"), "mine.npz", DEFAULT)
    assert run.settings == small.settings
    assert (run.P == small.P).all()
    assert run.name == "mine.npz"
    bare = weights_from(npz(P=np.eye(4), Q=np.eye(4)), "bare.npz", DEFAULT)
    assert bare.settings == DEFAULT.replace(features=3)
    layers = weights_from(npz(P=np.ones((4, 3, 3)), Q=np.ones((4, 3, 3))), "layers.npz", DEFAULT)
    assert (layers.settings.loops, layers.settings.untied, layers.settings.features) == (4, True, 2)


class Evil:
    """Would run when unpickled."""

    def __reduce__(self):
        """Fail the test."""
        return pytest.fail, ("executed",)


def claiming(shape, dtype="<f8"):
    """A small file whose arrays claim to be of that shape."""
    out, header = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("P", "Q"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(64))
    return out.getvalue()


DAMAGED = "is damaged, or holds no arrays P and Q"
BAD = {
    "claims to be huge": (claiming((10**6, 10**7)), DAMAGED),
    "claims huge words": (claiming((3, 3), "<U100000000"), DAMAGED),
    "claims no size": (claiming((-1, 3)), DAMAGED),
    "nested settings": (
        npz(P=np.eye(3), Q=np.eye(3), settings="[" * 100_000),
        "cannot be evaluated here .This is not a JSON object of settings",
    ),
    "empty": (b"", "is damaged, or holds no arrays P and Q"),
    "text": (b"P,Q\n1,2\n", "is damaged, or holds no arrays P and Q"),
    "cut": (npz(P=np.eye(3), Q=np.eye(3))[:-40], "is damaged, or holds no arrays P and Q"),
    "foreign": (npz(W=np.eye(3)), "is damaged, or holds no arrays P and Q"),
    "pickled": (npz(P=np.array([Evil()], dtype=object), Q=np.eye(3)), "is damaged, or holds no arrays P and Q"),
    "not square": (npz(P=np.ones((3, 4)), Q=np.ones((3, 4))), r"holds P \(3, 4\) and Q \(3, 4\)"),
    "different": (npz(P=np.eye(3), Q=np.eye(4)), r"holds P \(3, 3\) and Q \(4, 4\)"),
    "numbers": (npz(P=np.full((3, 3), np.nan), Q=np.eye(3)), "holds entries that are not finite numbers"),
    "infinite": (npz(P=np.eye(3), Q=np.full((3, 3), np.inf)), "holds entries that are not finite numbers"),
    "beyond float64": (npz(P=np.eye(3) * np.longdouble("1e4000"), Q=np.eye(3)), "holds entries that are not finite"),
    "huge entries": (npz(P=np.eye(3) * 1e60, Q=np.eye(3)), "holds entries above 1e50 in size"),
    "words": (
        npz(P=np.full((3, 3), "a"), Q=np.eye(3)),
        "holds P of type str32 and Q of type float64, not real",
    ),
    "complex": (npz(P=np.eye(3), Q=1j * np.eye(3)), "Q of type complex128, not real numbers"),
    "yes and no": (npz(P=np.eye(3) > 0, Q=np.eye(3)), "holds P of type bool"),
    "dates": (npz(P=np.zeros((3, 3), "M8[s]"), Q=np.eye(3)), "not real numbers"),
    "a vector": (npz(P=np.ones(9), Q=np.ones(9)), r"holds P \(9,\) and Q \(9,\)"),
    "no layers": (npz(P=np.ones((0, 3, 3)), Q=np.ones((0, 3, 3))), "holds P"),
    "too many features": (npz(P=np.eye(60), Q=np.eye(60)), "cannot be evaluated here .d = 59 cannot be used"),
    "settings of something else": (npz(P=np.eye(3), Q=np.eye(3), settings="{"), "cannot be evaluated here"),
    "huge": (bytes(MOST_BYTES + 1), "is larger than 20 MiB"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_weights_gets_one_sentence(name):
    content, why = BAD[name]
    with pytest.raises(SettingsError, match=why) as raised:
        weights_from(content, "w.npz", DEFAULT)
    assert str(raised.value).startswith("w.npz ")
    assert str(raised.value).endswith(": choose an arrays.npz that `looped train` wrote.")


def test_a_missing_file_gets_one_sentence(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.npz cannot be read \(No such file"):
        read_weights(tmp_path / "none.npz", DEFAULT)


READ = {
    "identity": (np.eye(6), np.eye(6), {}),
    "float16": (np.diag([0.1, 0.1, 1]).astype(np.float16), np.diag([0.5, 0.5, 0]).astype(np.float16), {}),
    "whole numbers": (np.diag([0, 0, 1]), np.diag([1, 1, 0]).astype(np.uint8), {}),
    "large": (1e50 * np.eye(3), 1e50 * np.eye(3), {}),
    "all large": (np.full((3, 3), 1e50), np.full((3, 3), -1e50), {}),
    "tiny corner": (np.diag([1, 1, 1e-300]), np.eye(3), {}),
    "tiny": (1e-300 * np.eye(3), 1e-300 * np.eye(3), {}),
    "zero": (np.zeros((3, 3)), np.zeros((3, 3)), {}),
    "untied": (np.stack([3 * np.eye(3)] * 6), np.stack([3 * np.eye(3)] * 6), {}),
    "generation": (np.eye(3), np.eye(3), {"task": "generation", "loops": 30}),
    "thirty loops": (np.eye(3), np.eye(3), {"loops": 30}),
}


@pytest.mark.parametrize("name", thorough_but(lambda name: name in ("untied", "generation"), READ))
def test_weights_that_diverge_are_a_number_or_a_ceiling_everywhere(name, monkeypatch):
    P, Q, settings = READ[name]
    monkeypatch.setattr(cost, "affordable", lambda *_args, **_others: 200)
    monkeypatch.setattr(cost, "ALONE_SECONDS", 0.0)
    run = evaluate(weights_from(npz(P=P, Q=Q), "w.npz", DEFAULT.replace(**settings)))
    shown = export.of(run)
    summary = json.loads(shown.summary_json(), parse_constant=lambda text: pytest.fail(f"{text} in the JSON"))
    said = " ".join([run.found(), run.overflow(), run.means(), run.compared(), *run.noticed()])
    assert not re.search(r"\b(nan|inf)\b", said), said
    pictures = shown.pictures()
    for picture in pictures.values():
        assert not re.search(r"\b(nan|inf)\b", picture.alt), picture.alt
    medians = [row["median"] for row in summary["query_squared_error"]["per_evaluation_seed"]]
    assert all(0 <= median <= 1e300 for median in medians)
    overflows = max(medians) == 1e300
    assert ("The loop diverges" in run.overflow()) == overflows
    assert overflows == (name in ("identity", "large", "all large", "thirty loops", "untied", "tiny corner")), medians


def test_an_overflow_in_few_prompts_is_said_to_be_in_some(small):
    fresh = np.array([[np.inf, 1.0, 2.0], [3.0, 1.0, 2.0]])
    run = TrainResult(small.settings, small.P, small.Q, {}, "", fresh=fresh, fresh_prompts=10)
    assert run.overflow() == "In some of the fresh prompts the loop diverges: their query error is over 1e300."
