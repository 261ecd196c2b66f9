"""Lessons of the first page: the loop is the step.

Measured numbers name their seeds; the tests of the lessons measure them again.
"""

from looped.lesson import Lesson

ANY_PROMPTS = ("seed", "prompts")

COMPARE = (
    Lesson(
        key="one-step",
        title="One loop is one gradient step",
        see="The circles of explicit gradient descent lie on the transformer's line, until both are rounding noise: "
        "max |loop − GD| is of the size of rounding. Change T, n, d or κ: it stays so.",
        question="At n = 40, d = 10, κ = 5 and T = 50 the gap is about 1e-15 and not 0. Will another seed make it 0?",
        answer="No: it lies between 5e-16 and 2e-15 for the seeds 0 to 49. Both compute the same numbers, but add "
        "them up in another order, and float64 keeps about 16 digits. Choose float32 under *Precision*: the gap "
        "becomes about 5e-7, as 7 digits allow.",
        free=(
            *ANY_PROMPTS,
            "loops",
            "examples",
            "features",
            "condition_number",
            "spectrum",
            "noise",
            "label_scale",
            "dtype",
            "layout",
            "form",
        ),
    ),
    Lesson(
        key="conditioning",
        title="Conditioning is everything",
        see="κ is the ratio of the largest to the smallest non-zero eigenvalue of XᵀX/n. With η = 1/λ₁ it sets the "
        "slope in the long run: every loop multiplies the error in the slowest mode by 1 − 1/κ.",
        question="At κ = 5 the error falls tenfold about every 10 loops in the long run. How many loops does that take "
        "at κ = 100?",
        answer="About 230: (1 − 1/κ)ᵗ = 1/10 at t ≈ κ·ln 10. Twenty times the condition number, about twenty times the "
        "loops. The first tenth takes fewer, 95 to 123 (n = 40, d = 10, medians of 64 prompts, seeds 0 to 19), because "
        "the faster modes vanish first.",
        settings={"condition_number": 100.0, "loops": 400},
        free=(*ANY_PROMPTS, "loops", "examples", "features", "condition_number"),
    ),
    Lesson(
        key="more-examples",
        title="More examples, better conditioning",
        see="Independent Gaussian rows have the κ that falls out, and from n = d on more of them are better "
        "conditioned. Move n between 20 and 400 and watch κ measured, and with it the slope.",
        question="d = 10. From n = 20 to n = 40: does the slope change more than from n = 200 to n = 400?",
        answer="Yes. In high dimension κ tends to ((1+√(d/n))/(1−√(d/n)))²: 34 at n = 2d, 9 at 4d, 2.5 at 20d and 1.9 "
        "at 40d; at d = 10 the median is smaller still. It depends on n/d alone, so with n in proportion to d it does "
        "not grow: that is why n = O(d) examples are enough.",
        settings={"data": "gaussian", "examples": 20},
        free=(*ANY_PROMPTS, "loops", "examples"),
    ),
    Lesson(
        key="optimal-step",
        title="The best constant step in the long run",
        see="η = 2/(λ₁+λ_d) multiplies the slowest mode by (κ−1)/(κ+1) and the fastest by minus that; with any other "
        "constant step one of the two falls more slowly. Compare with auto under *Step size*: hold this curve first, "
        "then switch.",
        question="At κ = 20, how many loops does it save against η = 1/λ₁ in the long run?",
        answer="About half. A factor e of error takes −1/ln((κ−1)/(κ+1)) ≈ κ/2 loops, against ≈ κ with η = 1/λ₁: 10.0 "
        "against 19.5.",
        settings={"condition_number": 20.0, "step_size": "optimal", "loops": 100},
        free=(*ANY_PROMPTS, "loops", "condition_number", "step_size"),
    ),
    Lesson(
        key="over-the-edge",
        title="Over the edge",
        see="Beyond η = 2/λ₁ every loop multiplies a mode by a number below −1, and it grows. The page says so before "
        "it runs, and the transformer still does what gradient descent does, up to rounding.",
        question="Which mode grows first when the step is made longer: the slow one with the small eigenvalue, or the "
        "fast one?",
        answer="The fast one. Every loop multiplies mode k by 1 − ηλ_k, and ηλ_k passes 2 first where λ_k is largest.",
        settings={"step_size": 1.1, "loops": 60},
        free=ANY_PROMPTS,
    ),
    Lesson(
        key="few-examples",
        title="Fewer examples than features",
        see="With n < d many weights fit the examples. The loop starts at 0 and heads for the shortest one, so its "
        "error to that solution falls, while the distance to the task αw* stops at a floor.",
        question="n = 5 examples, d = 10 features. Roughly which part of w* stays unseen?",
        answer="On average half of its squared length: the rows span n of d directions, and w* points anywhere, so "
        "the distance stops near √(1 − n/d) = 0.71. Medians of 64 prompts lie between 0.65 and 0.78 (seeds 0 to 19).",
        settings={"examples": 5, "loops": 100},
        free=(*ANY_PROMPTS, "loops"),
    ),
    Lesson(
        key="noise",
        title="With noise, the limit is least squares",
        see="Noisy labels do not change the numbers by which a loop multiplies the modes: the first curve, the "
        "distance to least squares, falls as fast in the long run. The second, the distance to αw*, ends at "
        "the floor, and may be below it on the way.",
        question="Will more loops lower that floor? Will more examples?",
        answer="More loops do not. More examples do: at a given spectrum least squares comes closer to w* like "
        "σ/√n, four times n halves the floor (0.45 to 0.57, seeds 0 to 19). Stopping early helps a little here: the "
        "median distance is smallest after 6 to 11 loops, 0.7 to 10 % below the floor.",
        settings={"noise": 0.5, "loops": 60},
        free=(*ANY_PROMPTS, "loops"),
    ),
    Lesson(
        key="rounding",
        title="The rounding floor",
        see="In float32 both lines stop falling near 3e-7, while the closed form goes on: that is the end of the "
        "precision, not of the method.",
        question="Where will the floor lie when you switch to float64 under *Precision*?",
        answer="Near 1e-15 (8e-16 to 1.5e-15, seeds 0 to 19), reached after about 150 loops: float64 keeps about "
        "16 digits instead of 7.",
        settings={"dtype": "float32", "loops": 200},
        free=(*ANY_PROMPTS, "dtype"),
    ),
    Lesson(
        key="gd-plus-plus",
        title="GD++ beats gradient descent",
        see="Full weights can move the examples too: every loop makes the data better conditioned while w_t is on "
        "its way. After ten loops at κ = 20 the median error is 370 to 590 times below that of gradient descent with "
        "η = 2/(λ₁+λ_d), measured on the seeds 0 to 19.",
        question="Its error grows in the first loops. Is that a mistake?",
        answer="No. Its step a is 5.75 times 2/λ₁, so the large modes overshoot at first. As every loop shrinks the "
        "eigenvalues, most where they are large, the same step soon suits all modes.",
        settings={"algorithm": "gd++", "condition_number": 20.0, "loops": 10},
        free=ANY_PROMPTS,
    ),
    Lesson(
        key="momentum",
        title="Momentum: √κ instead of κ",
        see="One more slot for the iterate before, and a loop is a step of heavy-ball momentum. With the best step and "
        "β a loop leaves (√κ−1)/(√κ+1) of the error in the long run; the rival with crosses is plain gradient descent.",
        question="κ = 100. In the long run gradient descent with η = 1/λ₁ needs about 230 loops for each tenth of the "
        "error. And momentum?",
        answer="About 11.5: (√κ−1)/(√κ+1) = 9/11, and (9/11)ᵗ = 1/10 at t = 11.5. The first tenth takes 22 to 24 loops "
        "(medians of 64 prompts, seeds 0 to 19), because at the best β the two roots of the slowest mode are equal, "
        "and it falls like t·(9/11)ᵗ.",
        settings={"algorithm": "heavy-ball", "condition_number": 100.0, "step_size": "optimal", "loops": 150},
        free=(*ANY_PROMPTS, "loops"),
    ),
    Lesson(
        key="newton",
        title="Newton in a loop",
        see="Two heads and a slot in which the examples are rewritten carry iterative Newton: every loop squares "
        "what is left of each mode. While that is near 1 the error falls slowly, and then to rounding within a few "
        "loops.",
        question="κ = 100 takes 13 loops to a median error of 1e-10. How many more does κ = 10,000 take?",
        answer="Six or seven: 19 loops in all (seeds 0 to 19). What is left of the slowest mode is (1 − 1/κ) to the "
        "power 2ᵗ⁻¹, so 100 times the condition number is log₂ 100 ≈ 6.6 more doublings.",
        settings={"algorithm": "newton", "condition_number": 100.0, "loops": 20},
        free=(*ANY_PROMPTS, "loops", "condition_number"),
    ),
    Lesson(
        key="softmax",
        title="And softmax attention?",
        see="The same P and Q with a softmax over the scores. It still descends something, but not the squared error: "
        "after 50 loops the median error is 0.73 to 0.93 (seeds 0 to 19), and that of gradient descent nearly 0.",
        question="Will a smaller step bring it to the solution?",
        answer="No. It walks down log Σ exp(⟨x_i, w⟩ − αy_i), whose lowest point lies elsewhere: with η = 0.1 and 500 "
        "loops it ends at 0.73 to 0.93 as well. On the way it comes as close as 0.50 to 0.60.",
        settings={"algorithm": "softmax"},
        free=ANY_PROMPTS,
    ),
    Lesson(
        key="real-data",
        title="Real patients",
        see="The 442 patients of the diabetes data as one prompt: what the loop heads for are the coefficients of "
        "linear regression. All ten columns together have κ = 470, and with the optimal step it takes about 2,700 "
        "loops until 0.00001 of the slowest mode is left.",
        question="Which column would you leave out to shorten the run most?",
        answer="s1: without it κ is 47, without s2 64, and without age, sex or s6 it stays above 425. The smallest "
        "eigenvalue belongs to s1 against a mixture of s2, s3 and s5, which together predict s1 with R² = 0.98; no two "
        "columns do it alone, s1 and s2 (correlation 0.90) have κ = 18. Choose the feature columns under *Data* and "
        "watch κ.",
        settings={"data": "diabetes", "target": "target", "loops": 2000, "step_size": "optimal"},
        free=(*ANY_PROMPTS, "loops", "feature_columns"),
    ),
)
"""Of the first page."""
