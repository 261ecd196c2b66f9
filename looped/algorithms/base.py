"""The algorithms that one looped attention layer can be given: what each is, and what it needs beyond linear attention.

One table, which settings, constructions, pages and the glossary read.
"""

from dataclasses import dataclass

LINEAR = r"Z \leftarrow Z - \tfrac{\eta}{n}\, P Z M (Z^\top Q Z)\, R"


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """One algorithm, in words and formulas."""

    name: str
    """Value of the setting `algorithm`."""
    title: str
    """As a legend or a sentence names the explicit twin."""
    equation: str
    """One loop on w, TeX."""
    layer: str
    """One loop on the tokens, TeX."""
    needs: str
    """What it needs beyond linear attention with an identity skip, one or two sentences."""
    curve: str
    """What multiplies the error in mode k after t loops, as a legend shows it; empty where nothing does."""
    notice: str
    """What the curve does from loop to loop, true for every run; Markdown."""
    source: str
    """Who says so, and how this project knows."""
    reads: tuple[str, ...] = ()
    """Settings that this algorithm alone reads."""
    has_state: bool = True
    """Whether the examples stand still, so that the loop has a constant state."""
    layouts: bool = True
    """Whether both token layouts exist."""


ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm(
            name="gd",
            title="gradient descent",
            equation=r"w \leftarrow w - \tfrac{\eta}{n} X^\top (Xw - \alpha y)",
            layer=LINEAR,
            needs="Nothing: P, Q, an identity skip, and a write mask or slots that keep the examples still.",
            curve="(1−ηλ)ᵗ",
            notice="In the long run the modes with the largest |1 − ηλ_k| rule the error of a prompt: every loop "
            "multiplies it by that number, and on this axis its line is straight.",
            source="Derived for this project in the notation of arXiv 2410.11268, whose full text was not read.",
        ),
        Algorithm(
            name="ridge",
            title="ridge descent",
            equation=r"w \leftarrow (1 - \eta\rho)\, w - \tfrac{\eta}{n} X^\top (Xw - \alpha y)",
            layer=r"Z \leftarrow Z - \big(\eta K Z + \tfrac{\eta}{n}\, P Z M (Z^\top Q Z)\big) R,\quad K_{ww} = \rho I",
            needs="A token-wise linear map beside attention, which takes ηρ of w in every loop; P and Q stay those of "
            "gradient descent.",
            curve="(1−η(λ+ρ))ᵗ",
            notice="In the long run the modes with the largest |1 − η(λ_k + ρ)| rule the error of a prompt: every loop "
            "multiplies it by that number, and on this axis its line is straight.",
            source="Derived for this project and checked numerically.",
            reads=("ridge",),
        ),
        Algorithm(
            name="preconditioned",
            title="preconditioned descent",
            equation=r"w \leftarrow w - \tfrac{\eta}{n}\, C X^\top (Xw - \alpha y),\quad C = \Sigma^{-1}",
            layer=LINEAR + r",\quad P_{wx} = C",
            needs="Nothing: C stands in P. But P is shared by all prompts, so C can only know what prompts have in "
            "common: Σ⁻¹ for rows of covariance Σ, after which H acts as C^½HC^½ with eigenvalues μ. Where Σ = I "
            "(exact and Gaussian prompts, and taken so for tables, which are standardised) it is gradient descent.",
            curve="(1−ημ)ᵗ",
            notice="In the long run the modes with the largest |1 − ημ_k| rule the error of a prompt: every loop "
            "multiplies each of them by that number, up to its sign.",
            source="That the minimiser of the training loss tends to Σ⁻¹ as n grows: Gatmiry et al., ICML 2024, arXiv "
            "2410.08292, read in notes. What training reaches is measured on the training page.",
        ),
        Algorithm(
            name="heavy-ball",
            title="heavy-ball momentum",
            equation=r"w_{t+1} = w_t - \tfrac{\eta}{n} X^\top (Xw_t - \alpha y) + \beta\,(w_t - w_{t-1})",
            layer=r"Z \leftarrow Z + \big((A - I) Z - \tfrac{\eta}{n}\, P Z M (Z^\top Q Z)\big) R,\quad "
            r"A_{ww} = (1+\beta) I,\ A_{wv} = -\beta I,\ A_{vw} = I,\ A_{vv} = 0",
            needs="A slot of d more rows that holds the iterate before, and a linear skip map that shifts w into it; "
            "P and Q stay those of gradient descent.",
            curve="two-term recurrence in 1+β−ηλ",
            notice="With momentum the error of a mode is made of two powers, the roots of r² − (1+β−ηλ)r + β, and may "
            "swing: the line need not fall in every loop.",
            source="Polyak's heavy ball; the construction is derived for this project and checked numerically.",
            reads=("momentum",),
        ),
        Algorithm(
            name="gd++",
            title="GD++",
            equation=r"w \leftarrow w - \tfrac{a}{n}\, C^2 X^\top (Xw - \alpha y),\quad\allowbreak "
            r"{C \leftarrow C - \gamma\, C H C^2},\quad\allowbreak {a = \eta}",
            layer=r"Z \leftarrow Z - \tfrac{a}{n}\, P Z M (Z^\top Q Z),\quad P = \mathrm{diag}(\tfrac{\gamma}{a} I, 1),"
            r"\ Q = \mathrm{diag}(I, 0)",
            needs="No write mask: the examples move too, so there is no constant state. No row holds w: the query is a "
            "point to predict at, and d queries, the unit vectors, read all of w.",
            curve="Π(1−ah), h ← h(1−γh)²",
            notice="Every loop changes the eigenvalues of the examples, so it multiplies a mode by another number than "
            "the loop before: the line is not straight, and the error may grow before it falls.",
            source="von Oswald et al. (2023), what training of full weights finds; its closed form is derived for this "
            "project and checked numerically.",
            reads=("gamma",),
            has_state=False,
            layouts=False,
        ),
        Algorithm(
            name="newton",
            title="iterative Newton",
            equation=r"w \leftarrow M X^\top \alpha y,\quad M \leftarrow 2M - M S M,\quad S = X^\top X,\ "
            r"M_0 = \tfrac{\eta}{n} I",
            layer=r"Z \leftarrow A Z - \tfrac{\eta}{n} \sum_{h=1}^{2} P_h Z M (Z^\top Q_h Z),\quad "
            r"A_{uu} = 2I,\ A_{ww} = 0",
            needs="A slot u in which every example is rewritten, hence no constant state; a skip map, 2 on u and 0 on "
            "w; and a second head: with one head what moves the examples would also be written into the query.",
            curve="(1−ηλ) to the power 2ᵗ⁻¹",
            notice="From loop 1 on every loop squares what is left of each mode: on this axis the line bends, down "
            "where the factor 1 − ηλ_k is between −1 and 1, up where it is not.",
            source="The iteration: Fu et al. (2023). The construction is derived for this project and checked "
            "numerically.",
            has_state=False,
            layouts=False,
        ),
        Algorithm(
            name="softmax",
            title="gradient descent",
            equation=r"w \leftarrow w - \eta \sum_i x_i\, \mathrm{softmax}_i"
            r"\big(\langle x_i, w\rangle - \alpha y_i\big)",
            layer=r"Z \leftarrow Z - \eta\, P Z M\, \mathrm{softmax}(Z^\top Q Z)\, R",
            needs="A softmax over the examples, with the same P and Q. It is no step of least squares: the weights are "
            "positive and add up to 1, so every example is pushed towards a lower prediction, also one that is "
            "predicted too low, the more the higher its residual ⟨x_i, w⟩ − αy_i. It is gradient descent on another "
            "function, log Σ exp(⟨x_i, w⟩ − αy_i), the soft maximum of the residuals.",
            curve="",
            notice="Softmax attention is not linear: no mode goes its own way, and no closed form is drawn.",
            source="Derived for this project and checked numerically.",
            has_state=False,
        ),
    )
}
