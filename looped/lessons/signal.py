"""Lessons of the page on what the MLP adds."""

from looped.lessons.lesson import Lesson

SIGNAL = (
    Lesson(
        key="figure-1",
        title="Attention alone is stuck",
        see="All tasks share β* = (1, …, 1). The block with an MLP can reach 2.727, attention alone 4.557, the "
        "best of seven searches over its weights. Press Train: in seconds each stands at its own level, as in the "
        "paper's Figure 1.",
        question="Both models see the same prompts and train equally long. Could attention alone catch up with more "
        "steps?",
        answer="No. Proved is that it stays at least 0.69 above the block; the searches say 1.83. It can use β* in "
        "part (GD-0, which cannot, has 4.837), but not start from it: the query's label slot holds 0, and there is no "
        "MLP to write ⟨β*, x⟩ into it.",
    ),
    Lesson(
        key="no-signal",
        title="Nothing shared, nothing lost",
        see="With β* = 0 both models have the same smallest risk: the MLP adds nothing to one linear layer. Raise s "
        "and watch the gap open.",
        question="At s = 0 the best step is Γ* = M/(M+1+d)·I. How large is it for M = 5, d = 5?",
        answer="5/11 = 0.4545 on the diagonal, as the matrix on the right shows.",
        settings={"signal": 0.0},
    ),
    Lesson(
        key="strong-signal",
        title="A strong signal",
        see="β* = 10·(1, …, 1) in d = 20, M = 40, the data of the paper's GPT-2 experiment. The block can reach 6.885, "
        "attention alone 114.15. Training takes about half a minute.",
        question="The labels are about 45 in size, the features 1. What does that do to Adam?",
        answer="Without care it stops where attention alone is. Here Adam works in units of the tokens, and the block "
        "reaches 6.9.",
        settings={"features": 20, "M": 40, "signal": 10.0},
    ),
    Lesson(
        key="more-context",
        title="More examples close the gap slowly",
        see="Choose M above the chart: the gap closes slowly, like 1/M only for large M. At M = 40 attention alone "
        "still has 1.170 where the block has 0.652.",
        question="The bound says gap ≥ 2/(3(M+1))·‖β*‖²_H. For M = 40 and β* = (1, …, 1) in d = 5?",
        answer="2·5/(3·41) = 0.081; the sharper bound that is drawn gives more, and the gap itself is 0.518.",
        settings={"M": 40},
    ),
    Lesson(
        key="noisy",
        title="When one step is nearly the best",
        see="With strong label noise the dotted line of Bayes comes close to the block: if tr(HΨ) is not much above "
        "σ², one gradient step from β* is nearly the best function of the prompt.",
        question="Does noise close the gap between attention alone and the block as well?",
        answer="Only in part: it is 1.83 without noise, 1.36 at σ = 3 and still 1.26 at σ = 10. Noise does not hide "
        "the shared signal.",
        settings={"noise": 3.0},
    ),
)
"""Of the page on tasks that share a signal."""
