"""Lessons of the page on GPT-2."""

from looped.lessons.lesson import Lesson

GPT2 = (
    Lesson(
        key="strong-signal",
        title="A strong signal: the MLP leads",
        see="The same comparison in a real GPT-2, with softmax attention and layer norms. Both learn the shared "
        "signal first, down to 2.0; then the one with MLP learns from its examples and ends near 0.45, the one without "
        "near 1.2.",
        question="A GPT-2 without MLP has a linear read-in and read-out. Is there a proof that it must be worse?",
        answer="No. The proof is about one linear attention layer. That the gap is seen in GPT-2 is a measurement, at "
        "this size, with these steps.",
    ),
    Lesson(
        key="no-signal",
        title="No signal: both learn",
        see="With β* = 0 both models come near zero, which no single linear step can: many layers take many steps.",
        question="Which of the two has more weights, and does it matter here?",
        answer="The one with MLP, nearly three times as many. Without a shared signal both end near zero all the same.",
        settings={"signal": 0.0},
    ),
)
"""Of the page on GPT-2."""
