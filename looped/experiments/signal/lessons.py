"""Lessons of the page on what the MLP adds."""

from looped.lesson import Lesson

SIGNAL = (
    Lesson(
        key="figure-1",
        title="Attention alone stays above the block",
        see="All tasks share β* = (1, …, 1). The block with an MLP can reach a risk of 2.727; the smallest risk found "
        "for attention alone is 4.557. Press Train: each ends at its own level, as in the paper's Figure 1.",
        question="Both models see the same prompts for the same number of steps. Could attention alone catch up with "
        "more steps?",
        answer="No. It is proved to stay at least 0.689 above the block; the smallest risk found is 1.83 above. It "
        "can use β* in part (GD-0, which cannot, has 4.837), but not start from it: the query's label slot holds 0, "
        "and there is no MLP to write ⟨β*, x⟩ into it.",
    ),
    Lesson(
        key="no-signal",
        title="Without a shared signal both are equal",
        see="With β* = 0 both models have the same smallest risk: the MLP adds nothing to one linear layer. Raise s "
        "and watch the gap open.",
        question="At s = 0 the best step is Γ* = M/(M+1+d)·I. How large is it for M = 5, d = 5?",
        answer="5/11 = 0.4545 on the diagonal, as the matrix on the right shows.",
        settings={"signal": 0.0},
    ),
    Lesson(
        key="strong-signal",
        title="A strong signal widens the gap",
        see="β* = 10·(1, …, 1) in d = 20, M = 40, the data of the paper's GPT-2 experiment. The block can reach 6.885; "
        "the smallest risk found for attention alone is 114.15, and the smallest possible is proved to be at least "
        "48.8.",
        question="The labels are about 45 times as large as the features. What does that do to Adam?",
        answer="With plain Adam the block ended at 112.6 to 114.9 (3 seeds), about as low as attention alone can get. "
        "Here Adam works in the units of the tokens, and the block ends at 6.91 to 6.92 (3 seeds).",
        settings={"features": 20, "examples": 40, "signal": 10.0},
    ),
    Lesson(
        key="more-context",
        title="More examples close the gap slowly",
        see="Choose M above the chart: the gap closes slowly, and like 1/M only for large M. At M = 40 the smallest "
        "risk found for attention alone is 1.170; the block has 0.652.",
        question="With H = I the simpler bound says gap ≥ 2‖β*‖²/(3(M+1)). How much is that at M = 40, d = 5, s = 1?",
        answer="2·5/(3·41) = 0.081; the sharper bound that is drawn gives 0.116, and the gap to the smallest risk "
        "found is 0.518.",
        settings={"examples": 40},
    ),
    Lesson(
        key="noisy",
        title="With strong noise one step is nearly the best",
        see="With strong label noise the dotted line, the Bayes risk, comes close to the block. If tr(HΨ) is not much "
        "above σ² (here 5 and 9), one gradient step from β* is nearly the best function of the prompt.",
        question="Does noise close the gap between attention alone and the block as well?",
        answer="Only in part: it is 1.83 without noise, 1.36 at σ = 3 and still 1.26 at σ = 10. Noise does not hide "
        "the shared signal.",
        settings={"noise": 3.0},
    ),
)
"""The lessons of the page on tasks that share a signal."""
