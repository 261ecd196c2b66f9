"""Lessons of the page on GPT-2."""

from looped.lesson import Lesson

GPT2 = (
    Lesson(
        key="strong-signal",
        title="A strong signal: the MLP leads",
        see="The same comparison in a real GPT-2, with softmax attention and layer norms. At s = 10 and the page's "
        "size the model with MLP ends at 0.44 to 0.63 over three seeds, the one without at 1.2 to 1.9; reading "
        "nothing from the examples leaves 2.",
        question="A GPT-2 without MLP has a linear read-in and read-out. Is there a proof that it must be worse?",
        answer="No. The proof is about one linear attention layer. That the gap is seen in GPT-2 is a measurement, at "
        "this size, with these steps.",
    ),
    Lesson(
        key="no-signal",
        title="No signal: both learn",
        see="With β* = 0 three seeds of each model end at 0.018 to 0.039, where the best single linear step has 0.46.",
        question="Which of the two has more weights, and does it matter here?",
        answer="The one with MLP, nearly three times as many. Without a shared signal it is ahead at two of three "
        "seeds and behind at one.",
        settings={"signal": 0.0},
    ),
)
"""Of the page on GPT-2."""
