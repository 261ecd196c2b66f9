"""The words and symbols of the pages in one line each, and on which pages they stand."""

import re
from dataclasses import dataclass

EVERY = ("compare", "context", "train", "signal", "gpt2", "beyond")
FIRST, MLP, LOOPS = EVERY[:2], EVERY[3:5], (*EVERY[:3], "beyond")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a word or a symbol means."""

    meaning: str
    """In Markdown."""
    pages: tuple[str, ...]
    """The experiments on whose pages it stands; none for a symbol of the documentation alone."""


WORDS: dict[str, Entry] = {
    "prompt": Entry("the input of the transformer: solved examples (x, y), and a query at the end.", EVERY),
    "token": Entry("one column of the input: the numbers of one example, or those of the query.", EVERY),
    "query": Entry(
        "the last token, which asks: it reads the examples and is not read. Where w is sought it holds the iterate "
        "w_t, where a label is predicted a new x.",
        EVERY,
    ),
    "loop": Entry("one pass of all tokens through the same attention layer.", LOOPS),
    "iterate": Entry("w_t, the weights that the loop has arrived at after t loops.", LOOPS),
    "slot": Entry("the entries of a token that hold one thing: x, y, w or another.", ("compare", "signal", "beyond")),
    "seed": Entry("the number that random draws start from: the same seed draws the same prompts.", EVERY),
    "closed form": Entry("a formula for the result, which needs no loop.", LOOPS),
    "task": Entry(
        "the weights that made the labels of one prompt: a label is their inner product with x, plus noise.", EVERY
    ),
    "score": Entry(
        "what attention makes of an example and the query, z_iᵀQz; with the weights of gradient descent it is the "
        "error of w on that example, ⟨x_i, w⟩ − αy_i.",
        ("compare",),
    ),
    "linear attention": Entry(
        "attention without softmax: a token is changed by a sum of examples, each times its score.",
        ("compare", "signal", "gpt2"),
    ),
    "softmax": Entry("turns the scores into positive shares that add up to 1.", ("compare", "signal", "gpt2")),
    "MLP": Entry(
        "multi-layer perceptron: the part of a block that changes every token by itself, after attention. A linear MLP "
        "is two matrices with nothing between them.",
        MLP,
    ),
    "LSA": Entry("linear self-attention, alone.", ("signal",)),
    "LTB": Entry("linear transformer block: linear self-attention with a linear MLP.", ("signal",)),
    "GD-β": Entry("one step of gradient descent from a learned start β, with a learned matrix step Γ.", ("signal",)),
    "GD-0": Entry("one step of gradient descent from 0, with a learned matrix step.", ("signal",)),
    "Bayes": Entry(
        "the best prediction for someone who knows how tasks and examples are drawn; no model has a smaller risk.",
        MLP,
    ),
    "risk": Entry("mean squared error of a prediction over all prompts.", ("context", *MLP)),
    "mode": Entry(
        "the part of the error of w along one eigenvector of XᵀX/n: gradient descent multiplies each by a number of "
        "its own in every loop.",
        ("compare", "beyond"),
    ),
    "condition number": Entry(
        "largest over smallest eigenvalue: how unequal the modes are, and how slow the slowest is.", LOOPS
    ),
    "preconditioner": Entry("a matrix that multiplies the gradient in place of the step size.", LOOPS),
    "GD++": Entry(
        "gradient descent whose examples move too: every loop changes the eigenvalues of XᵀX/n.",
        ("compare", "train", "beyond"),
    ),
    "constructed GD": Entry(
        "gradient descent built by hand into P and Q, with the one step size that has the smallest mean error after T "
        "loops.",
        ("train",),
    ),
    "error of w": Entry("the squared distance of the w after T loops from the task, ‖w_T − w\\*‖².", ("train",)),
    "query error": Entry(
        "the squared error of the label that is predicted for one new x. Its mean over all prompts is that of the "
        "error of w, its median is not.",
        ("train",),
    ),
    "antisymmetric": Entry(
        "a matrix that changes its sign when rows and columns change places. As a step it moves w at right angles to "
        "the gradient: it turns.",
        ("train", "beyond"),
    ),
    "untied": Entry("layers each of which has weights of its own; tied layers share them, as loops do.", ("train",)),
    "EAGLE": Entry(
        "GD++ that measures the largest eigenvalue of XᵀX/n again in every loop, and divides its steps by it.",
        ("compare", "beyond"),
    ),
    "rounding floor": Entry(
        "relative error below which rounding dominates; an estimate, mostly within a factor of 4.", ("compare",)
    ),
    "Marchenko and Pastur": Entry(
        "their law says how the eigenvalues of XᵀX/n spread for independent features, in the limit of large n and d.",
        ("context", "beyond"),
    ),
    "Student's t": Entry(
        "a distribution whose extreme values are far more frequent than those of the normal one; the fewer degrees of "
        "freedom, the more so.",
        ("context",),
    ),
}
"""What is explained in words, the first words first."""

SYMBOLS: dict[str, Entry] = {
    "T, t": Entry("number of loops, and the index of one; t = 0 is the start.", LOOPS),
    "n": Entry("number of examples in the prompt.", EVERY),
    "M": Entry("the letter for n in Zhang, Wu and Bartlett, where tasks share a signal.", MLP),
    "d": Entry("number of features, the length of x and of w.", EVERY),
    "O(d)": Entry("at most a constant times d, however large d is.", FIRST),
    "B": Entry("number of prompts that are run side by side.", ("compare", "beyond")),
    "x_i, y_i": Entry("one example: d features and the label y_i.", ()),
    "X, y": Entry("the examples of a prompt as a matrix, one in each row, and their labels as a vector.", EVERY),
    "w\\*": Entry("the task: the weights that made the labels.", LOOPS),
    "w_t": Entry("the iterate after t loops, read from the query.", ("compare", "beyond")),
    "w_ref": Entry(
        "where the loop is heading: the shortest least-squares solution for the labels αy; for ridge the minimiser "
        "with the penalty, with a preconditioner the solution shortest in C^−½w.",
        (*FIRST, "train"),
    ),
    "α": Entry("label scale: all labels are multiplied by it, and w_ref with them.", ("compare", "train")),
    "σ": Entry("standard deviation of the noise on the labels.", ("compare", "train", "signal")),
    "η": Entry("step size of gradient descent.", LOOPS),
    "Σ̂": Entry("XᵀX/n, the covariance of the examples of one prompt.", ("compare", "beyond")),
    "λ_k, v_k": Entry(
        "eigenvalues and eigenvectors of XᵀX/n, λ₁ the largest eigenvalue, λ_d the smallest that is not 0. Every loop "
        "of gradient descent multiplies mode k, the error along v_k, by 1 − ηλ_k.",
        LOOPS,
    ),
    "κ": Entry(
        "condition number λ₁/λ_d, on the eigenvalues that are not 0: at 1 all are equal, and about κ loops divide the "
        "error by e.",
        (*FIRST, "beyond"),
    ),
    "Σ": Entry("covariance that correlated features are drawn with.", (*FIRST, "beyond")),
    "Z": Entry("the tokens as columns, the query last.", ("compare", "train")),
    "P, Q": Entry("the weights of linear attention: Q joins key and query, P value and projection.", LOOPS),
    "𝓜, 𝓡": Entry(
        "masks: 𝓜 keeps the query from being read, 𝓡 lets only the query be written.", ("compare", "train", "signal")
    ),
    "𝓐, 𝓚": Entry(
        "maps of each token beside attention: what a loop keeps of it, and what it takes away.", ("compare",)
    ),
    "x′, w′": Entry(
        "second slots of a token: the rewritten example of iterative Newton, the previous iterate of heavy ball.",
        ("compare",),
    ),
    "ρ": Entry(
        "ridge strength: ρ‖w‖²/2 is added to half the mean squared error, and a loop takes the share ηρ of w away.",
        ("compare",),
    ),
    "μ": Entry("momentum: share of the last move that heavy ball adds to the next.", ("compare",)),
    "C, ν": Entry("preconditioner C = Σ⁻¹, and the eigenvalues ν of C^½(XᵀX/n)C^½.", ("compare",)),
    "γ, a": Entry(
        "GD++: how far a loop moves the examples, x ← (I − γXᵀX/n)x, and its step size.", ("compare", "train")
    ),
    "J": Entry("GD++ and EAGLE: what the loops so far have made of an example, x ↦ Jx.", ("compare",)),
    "h₁": Entry("EAGLE: the largest eigenvalue of XᵀX/n for the examples as they now are.", ("compare",)),
    "N": Entry("iterative Newton: ηN comes near the inverse of XᵀX/n.", ("compare",)),
    "A, u": Entry(
        "what sparse weights learn: a matrix in place of the step size, and how inputs add to labels.", EVERY[1:3]
    ),
    "G": Entry("the tokens of the examples read once, Z𝓜Zᵀ or the same over n.", ()),
    "s": Entry("size of the shared signal, β\\* = s·(1, …, 1).", MLP),
    "H": Entry("covariance of the features of an example, where tasks share a signal.", MLP),
    "β̃, β\\*, Ψ": Entry("a task drawn from 𝓝(β\\*, Ψ): β\\* is what all tasks share, Ψ how they differ.", MLP),
    "Γ\\*": Entry(
        "the matrix step that has the smallest error after one loop, ((1 + 1/n)Σ + (tr Σ/n) I)⁻¹.", ("beyond",)
    ),
    "m": Entry("number of examples in a prompt of the test, where training had n.", ("beyond",)),
    "L": Entry("number of loops or layers, where each number has a best step size of its own.", ("beyond",)),
    "β, Γ": Entry("start and matrix step of one gradient step.", ("signal",)),
    "τ": Entry("time of gradient flow.", ("signal",)),
    "E": Entry("the tokens as columns, as in Zhang, Wu and Bartlett.", MLP),
    "R": Entry("risk: the mean of (f − y)² over all prompts, f being the prediction.", ("signal",)),
    "𝔼, 𝓝": Entry("mean over everything that is drawn; normal distribution, with its mean and variance.", MLP),
    "W_P, W_V, W_K, W_Q": Entry("projection, value, key and query weights of attention.", ("signal",)),
    "g, U, r": Entry("read from trained weights: the last row of the MLP, W_KᵀW_Q, and gᵀW_PᵀW_V.", ("signal",)),
    "S, Ω, c": Entry("H^½ΨH^½, ((M + 1)S + cI)/M and tr(HΨ) + σ².", ("signal",)),
    "K": Entry("2tr((HΨ)²) + (3M + 2)c²/(M(M + 1)), a number in the bound on the gap.", ("signal",)),
}
"""The one table of notation: no letter in it has two meanings."""


SAID = {
    "O(d)": r"O\(d\)", "w\\*": r"(?<![^\Wα])w\\?\*", "α": "α", "η": "η", "λ_k, v_k": "λ₁", "κ": "κ",
    "P, Q": "P and Q", "μ": "μ",
}  # fmt: skip
"""Symbols that are explained behind the text that says them first, each as a pattern that finds it in a text."""


def of_page(page: str) -> tuple[dict[str, str], dict[str, str]]:
    """Words and symbols of a page, each with its meaning, in the order of the lists.

    Args:
        page: name of its experiment.
    """
    words, symbols = (
        {name: entry.meaning for name, entry in part.items() if page in entry.pages} for part in (WORDS, SYMBOLS)
    )
    return words, symbols


def spoken(page: str, text: str, before: str = "") -> dict[str, str]:
    """The words of a page that a text says, and `SAID`, each with its meaning, in the order of the list.

    Args:
        page: name of its experiment.
        text: in Markdown.
        before: what was said before; words in it are explained there.
    """
    words, symbols = of_page(page)
    known = words | {name: symbols[name] for name in SAID if name in symbols}
    said = {name: re.compile(SAID[name]) if name in SAID else _word(name) for name in known}
    return {name: what for name, what in known.items() if said[name].search(text) and not said[name].search(before)}


def _word(word: str) -> re.Pattern[str]:
    """The pattern of a word in the singular or the plural, at the beginning of a sentence or in it."""
    stem = word.removesuffix("y") + "(y|ies)" if word.endswith("y") else re.escape(word) + "s?"
    return re.compile(rf"(?<!\w){stem}(?!\w)", re.IGNORECASE if word.islower() else re.NOFLAG)
