"""Every sentence of the second page, compared with its own sweep, over all settings that can show it."""

import itertools
import re

import numpy as np
import pytest

from looped import cli, theory
from looped.experiments.context import ContextSettings, LearnedGrid, sweep, words
from looped.experiments.context import charts as figures
from looped.experiments.context.cells import draw_prompts
from looped.experiments.context.stored import stored
from tests.app import ROOT

ROWS = ("gaussian", "student", "rademacher", "correlated")
STEPS = ("auto", "optimal", 0.6, 3.0)
TARGETS = (1e-12, 1e-3, 0.9)
RATIOS = (0.5, 1, 1.5, 2, 4, 20)
CASES = [
    *itertools.product(ROWS, STEPS, (1e-3,), (3,)),
    *itertools.product(("gaussian",), STEPS, TARGETS, (1, 10)),
    *itertools.product(("rademacher", "student"), ("auto",), TARGETS, (10,)),
]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case)), name="result", scope="module")
def fixture_result(request):
    rows, step_size, target, features = request.param
    return sweep(
        ContextSettings(
            rows=rows, step_size=step_size, target_error=target, features=features, ratios=RATIOS, loops=60, prompts=12
        )
    )


def said(result):
    return "\n".join([*words.notes(result), *words.notice(result)])


@pytest.fixture(name="errors", scope="module")
def fixture_errors(result):
    """‖w_t − w*‖, (R, T+1, B), by gradient descent on the prompts themselves."""
    settings, out = result.settings, []
    for n, growth in zip(result.n, result.growth, strict=True):
        batch = draw_prompts(settings, int(n), range(settings.prompts))
        H = (batch.X.mT @ batch.X / n).numpy()
        eta = growth / np.linalg.eigvalsh(H)[:, -1]
        left, distances = batch.w_star.numpy(), []
        for _ in range(settings.loops + 1):
            distances.append(np.linalg.norm(left, axis=1))
            left = left - eta[:, None] * np.einsum("bij,bj->bi", H, left)
        out.append(distances)
    return np.array(out)


def enough(errors, target):
    """True where the median error is at or below the target from that n/d on, (R, T+1)."""
    reached = np.median(errors, axis=2) <= target
    return np.array([reached[k:].all(axis=0) for k in range(len(reached))])


def test_the_need_over_loops_is_that_of_the_errors(result, errors):
    reaches = enough(errors, result.settings.target_error)
    (line,) = (
        line for line in words.notice(result) if line.startswith(("**More loops.**", "**The target is out of reach.**"))
    )
    loops = range(1, result.settings.loops + 1)
    first = np.array([np.append(reaches[:, T], True).argmax() for T in loops])  # place of the first n/d that does
    reached = [T for T, place in zip(loops, first, strict=True) if place < len(RATIOS)]
    if line.startswith("**The target is out of reach.**"):
        assert reached == []
        return
    given = re.findall(r"n/d (=|≤) ([\d.]+) at T = (\d+)", line)
    assert [int(T) for _, _, T in given] == sorted({reached[0], reached[-1]})
    for sign, ratio, T in given:
        yes = reaches[:, int(T)]
        if sign == "≤":
            assert yes.all()
        else:
            assert yes[result.ratio > float(ratio) * 1.01].all()
            assert not yes[result.ratio < float(ratio) * 0.99].any()
    if "never more for more loops" in line:
        assert (np.diff(first[reached[0] - 1 :]) <= 0).all()
    if "do not always need fewer" in line:
        assert words.is_number(result.settings)


@pytest.mark.parametrize("step_size", ["auto", "optimal"])
def test_with_a_step_from_the_data_more_loops_never_need_more(step_size):
    for rows, target in itertools.product(ROWS, TARGETS):
        settings = ContextSettings(rows=rows, target_error=target, step_size=step_size, ratios=RATIOS, loops=80)
        assert "do not always" not in said(sweep(settings))


def test_a_step_that_diverges_is_not_said_to_need_less():
    line = words.notice(sweep(ContextSettings(step_size=1.4, ratios=(2, 4, 20), loops=60, target_error=0.3)))[0]
    assert "never more" not in line


def test_no_error_is_below_what_the_notes_say_cannot_be_undercut(result, errors):
    floor = result.floor[:, None]
    assert (errors >= floor * (1 - 1e-6) - 1e-9).all()
    text = said(result)
    assert ("**n < d.**" in text) == bool((result.ratio < 1).any())
    singular = 0
    for n in result.n[result.ratio >= 1]:
        X = draw_prompts(result.settings, int(n), range(result.settings.prompts)).X.numpy()
        singular += int((np.linalg.matrix_rank(X) < result.settings.features).sum())
    found = re.search(r"In (\d+) of (\d+) prompts with n ≥ d", text)
    assert (0 if found is None else int(found[1])) == singular


@pytest.mark.parametrize("rows", ["gaussian", "student", "correlated"])
def test_the_mean_square_of_the_unseen_part_is_one_minus_n_over_d(rows):
    floor = sweep(ContextSettings(rows=rows, ratios=(0.3, 0.7), loops=1, prompts=1000)).floor
    error = (floor**2).std(axis=1) / np.sqrt(1000)
    assert (np.abs((floor**2).mean(axis=1) - [0.7, 0.3]) < 4 * error).all()


def test_divergence_is_counted(result):
    found = re.search(r"η = ([\d.]+) for all prompts, (\d+) of (\d+) prompts have λ₁ > 2/η", said(result))
    if not words.is_number(result.settings):
        assert found is None
        return
    eta, count = result.settings.step_size, 0
    for n in result.n:
        X = draw_prompts(result.settings, int(n), range(result.settings.prompts)).X.numpy()
        count += int((np.linalg.norm(X, 2, axis=(1, 2)) ** 2 / n > 2 / eta).sum())
    assert (0 if found is None else int(found[2])) == count


def test_where_few_dominate_the_mean_fewer_than_half_hold_nearly_all_of_it(result, errors):
    found = re.search(r"at (\d+) of 6 values of n/d: fewer than half .* At n/d = ([\d.]+) the mean", said(result))
    if found is None:
        assert not result.ruled_by_few(result.settings.shown).size
        return
    place = np.abs(result.ratio - float(found[2])).argmin()
    at_end = np.sort(errors[place, result.settings.shown])
    assert at_end[len(at_end) // 2 :].sum() > 0.9 * at_end.sum()


def test_the_bound_is_missing_exactly_where_it_does_not_apply(result):
    missing = "**No bound is drawn**" in said(result)
    assert missing == (result.largest_of_bound is None)
    if words.is_number(result.settings):
        assert missing


def test_the_limit_of_large_d_is_named_only_where_it_is_known(result):
    settings = result.settings
    known = settings.rows in ("gaussian", "rademacher") and not words.is_number(settings)
    assert ("**More features.**" in said(result)) == known
    edge = words.edge_words(result, result.nearest(4))
    assert ("of Marchenko–Pastur's" in edge) == (settings.rows in ("gaussian", "rademacher"))


def test_kappa_tends_to_what_is_said():
    for rows, limit in (("gaussian", 1), ("rademacher", 1), ("student", 1), ("correlated", 7)):
        settings = ContextSettings(features=3, rows=rows, row_condition_number=7, ratios=(2, 50, 200), prompts=4)
        (line,) = (line for line in words.notice(sweep(settings)) if line.startswith("**κ.**"))
        assert f"it tends to {limit}" in line
        X = draw_prompts(settings, 300_000, range(2)).X.numpy()
        values = np.linalg.eigvalsh(X.swapaxes(1, 2) @ X / 300_000)
        np.testing.assert_allclose(values[:, -1] / values[:, 0], limit, rtol=0.3 if rows == "student" else 0.05)


def test_learned_and_constructed_needs_are_of_the_same_loops():
    result = stored()[0]
    for T, target in itertools.product((1, 7, 50, 200), TARGETS):
        seen = result.looking_at(result.settings.replace(shown_loops=T, target_error=target))
        found = [line for line in words.notice(seen) if line.startswith("**Learned weights.**")]
        for line in found:
            at, learned, built = re.search(r"At T = (\d+) .* n/d (\S+|≤ \S+) with the trained A and (\S+|≤ \S+) with",
                                           line).groups()  # fmt: skip
            place = list(seen.learned.loops).index(int(at))
            assert learned == words.ratio_text(seen.learned_needed_ratio(target)[place], 1)
            assert built == words.ratio_text(seen.needed_ratio(target)[int(at)], 0.5)
    assert "51%" in words.learned_note(result)


def test_an_a_near_a_multiple_of_the_identity_is_not_said_to_be_far_from_it():
    A = np.broadcast_to(np.eye(2), (1, 1, 2, 2))
    grid = LearnedGrid(n=np.array([8]), loops=np.array([1]), error=np.full((1, 1, 12), 0.5), A=A)
    result = sweep(ContextSettings(features=2, ratios=(4,), loops=2, prompts=12))
    note = words.learned_note(type(result)(**{**vars(result), "learned": grid}))
    assert "Up to 0% of its length is antisymmetric" in note


def test_the_theorem_is_quoted_with_what_it_says_at_its_n():
    """c₀ = 8δd^{1/(2L)} with δ = (8Ld/√n)^{1/(2L)}: 1 at the requirement, a tenth at 10^{4L} times that n."""
    for loops, features in ((1, 2), (3, 10)):
        log_n = theory.exponential_requirement(loops, features) + 4 * loops
        delta = (8 * loops * features / 10 ** (log_n / 2)) ** (1 / (2 * loops))
        assert 8 * delta * features ** (1 / (2 * loops)) == pytest.approx(0.1)
    claims = (ROOT / "pages" / "context.md").read_text(encoding="utf-8")
    assert "0 ⪯ A ⪯ 2Σ⁻¹" in claims
    assert "a tenth of Σ⁻¹ it takes 10⁴ᵀ times as many" in claims
    assert "A ≈" not in claims


def test_powers_of_ten_are_rounded_exponents():
    assert words.decades(189.8) == "10¹⁹⁰"
    assert words.decades(5.2) == "10⁵"


def test_a_target_out_of_reach_is_said_in_one_plain_sentence_everywhere(capsys):
    settings = ContextSettings(loops=5, shown_loops=5, prompts=4, ratios=(2, 50))
    result = sweep(settings)
    said = "No measured n/d (up to 50) brings the median error to 0.001"
    assert f"**The target is out of reach.** {said} within T = 5 loops." in words.notice(result)
    alts = [picture.alt for picture in figures.pictures(result).values()]
    assert sum(said in alt for alt in alts) == 3
    cli.main(["context", "--T-max", "5", "--T", "5", "--prompts", "4", "--ratios", "2,50"])
    err = capsys.readouterr().err
    assert f"{said} after T = 5 loops" in err
    assert not any("no measured n/d on" in text for text in (*alts, *words.notice(result), err))
