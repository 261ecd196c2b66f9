"""Lessons of the page on GPT-2."""

from looped.lesson import Lesson

GPT2 = (
    Lesson(
        key="strong-signal",
        title="With a strong signal the MLP leads",
        see="The same comparison in GPT-2, with softmax attention and layer norms. A model that reads nothing from the "
        "examples has an error of 2. Compare where the curves with and without MLP end.",
        question="Is there a proof that a GPT-2 without MLP must be worse?",
        choices=(
            "Yes, the one for linear attention holds here too",
            "Yes, but only at s = 10",
            "No, the gap is a measurement",
        ),
        right=2,
        answer="A GPT-2 without MLP has a linear read-in and read-out, but the proof is about one linear attention "
        "layer. The gap in GPT-2 is a measurement, at this size and with these steps: "
        "0.44 to 0.63 over three seeds with MLP, 1.2 to 1.9 without.",
    ),
    Lesson(
        key="no-signal",
        title="Without a signal both learn",
        see="With β* = 0 the models of this page's size, with and without MLP, end at an error of 0.018 to 0.039 "
        "(three seeds each); the best single linear step has 0.46.",
        question="The model with MLP has nearly three times as many weights. At how many of the three seeds is it "
        "ahead?",
        choices=("None", "One", "Two", "All three"),
        right=2,
        answer="Without a shared signal it is ahead at two of three seeds and behind at one. Six layers without MLP, "
        "which have as many weights, are ahead of both at every seed: 0.0055 to 0.0094.",
        settings={"signal": 0.0},
    ),
)
"""The lessons of the page on GPT-2."""
