"""Lessons of the page on what the MLP adds."""

from looped.lesson import Lesson

SIGNAL = (
    Lesson(
        key="figure-1",
        title="Attention alone, and with an MLP",
        see="All tasks share β* = (1, …, 1). An arrow leads from what a model starts with to its estimate of a task. "
        "Press Train and watch where each of the two models ends.",
        question="Both models see the same prompts for the same number of steps. Could attention alone catch up with "
        "more steps?",
        choices=("Yes, it only learns more slowly", "No, a gap always stays", "Yes, but only with smaller steps"),
        right=1,
        answer="The block with an MLP can reach a risk of 2.727; the smallest risk found for attention alone is "
        "4.557. Each ends at its own level, as in the paper's Figure 1. Attention alone is proved to stay at least "
        "0.689 above the block; the smallest risk found is 1.83 above. It can use β* in part (GD-0, which cannot, has "
        "4.837), but not start from it: the query's label slot holds 0, and there is no MLP to write ⟨β*, x⟩ into it.",
    ),
    Lesson(
        key="no-signal",
        title="Without a shared signal",
        see="With β* = 0 the tasks have nothing in common but their spread. Compare the smallest risks of the two "
        "models.",
        question="How much does the MLP lower the smallest risk here?",
        choices=("As much as with a signal", "About half as much", "Not at all"),
        right=2,
        answer="With β* = 0 both models have the same smallest risk: the MLP adds nothing to one linear layer. Raise "
        "s and watch the gap open. At s = 0 the best step is Γ* = M/(M+1+d)·I, for M = 5, d = 5 that is 5/11 = 0.4545 "
        "on the diagonal, as the matrix on the right shows.",
        settings={"signal": 0.0},
    ),
    Lesson(
        key="strong-signal",
        title="A strong signal widens the gap",
        see="β* = 10·(1, …, 1) in d = 20, M = 40, the data of the paper's GPT-2 experiment. The block can reach "
        "6.885; the smallest risk found for attention alone is 114.15, and the smallest possible is proved to be at "
        "least 48.8.",
        question="The labels are about 45 times as large as the features. Where does the block end when it is trained "
        "with plain Adam?",
        choices=("At its smallest risk, 6.885", "At about 50, halfway", "About where attention alone can get"),
        right=2,
        answer="With plain Adam the block ended at 112.6 to 114.9 (3 seeds), about as low as attention alone can get. "
        "Here Adam works in the units of the tokens, and the block ends at 6.91 to 6.92 (3 seeds).",
        settings={"features": 20, "examples": 40, "signal": 10.0},
    ),
    Lesson(
        key="more-context",
        title="More examples",
        see="Let the chart *Smallest risks* run over M, and watch the gap between attention alone and the block.",
        question="From M = 5 to M = 40 there are eight times as many examples. How much smaller does the gap become?",
        choices=("About 64 times", "About 8 times", "About 3.5 times", "It stays the same"),
        right=2,
        answer="To the smallest risk found it is 1.83 at M = 5 and 0.518 at M = 40, where the smallest risk found for "
        "attention alone is 1.170 and the block has 0.652. The gap closes slowly, and like 1/M only for large M. With "
        "H = I the simpler bound says gap ≥ 2‖β*‖²/(3(M+1)), here 2·5/(3·41) = 0.081; the sharper bound that is drawn "
        "gives 0.116.",
        settings={"examples": 40},
    ),
    Lesson(
        key="noisy",
        title="With strong noise one step is nearly the best",
        see="Under Smallest risks the dotted line is the Bayes risk. With strong label noise it comes close to the "
        "block. If tr(HΨ) is not much above σ² (here 5 and 9), one gradient step from β* is nearly the best function "
        "of the prompt.",
        question="Does noise close the gap between attention alone and the block as well?",
        choices=("Only in part", "Yes, nearly to 0", "No, it widens the gap"),
        right=0,
        answer="The gap is 1.83 without noise, 1.36 at σ = 3 and still 1.26 at σ = 10. Noise does not hide the shared "
        "signal.",
        settings={"noise": 3.0},
    ),
)
"""The lessons of the page on tasks that share a signal."""
