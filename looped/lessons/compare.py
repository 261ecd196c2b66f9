"""Lessons of the first page: the loop is the step."""

from looped.lessons.lesson import Lesson

COMPARE = (
    Lesson(
        key="one-step",
        title="One loop is one gradient step",
        see="The circles of explicit gradient descent lie on the transformer's line, and max |loop − GD| is the "
        "rounding of the precision. Change any number: it stays so.",
        question="The gap is about 1e-16 and not 0. Will another seed make it 0?",
        answer="No. Both compute the same numbers, but add them up in another order, and float64 keeps about 16 "
        "digits. Choose float32 under *Transformer*: the gap becomes about 1e-7, the rounding of 7 digits.",
    ),
    Lesson(
        key="conditioning",
        title="Conditioning is everything",
        see="κ is the ratio of the largest to the smallest eigenvalue of XᵀX/n. It alone sets the slope: the "
        "slowest mode shrinks by 1 − 1/κ in every loop.",
        question="At κ = 5 the error falls tenfold about every 10 loops. How many loops does that take at κ = 100?",
        answer="About 230 in the long run: (1 − 1/κ)ᵗ = 1/10 at t ≈ κ·ln 10. Twenty times the condition number, "
        "twenty times the loops. The first tenth takes only about 115, because the faster modes vanish first.",
        settings={"condition_number": 100.0, "loops": 400},
    ),
    Lesson(
        key="more-examples",
        title="More examples, better conditioning",
        see="Independent Gaussian rows have the κ that falls out, and more of them are better conditioned. Move n "
        "between 20 and 400 and watch κ measured, and with it the slope.",
        question="d = 10. From n = 20 to n = 40: does the slope change more than from n = 200 to n = 400?",
        answer="Yes. κ tends to ((1+√(d/n))/(1−√(d/n)))² in high dimension: 34 at n = 2d, 9 at 4d, 2.5 at 20d and "
        "1.9 at 40d (at d = 10 the typical κ is smaller still). Once n is a few times d, κ is a constant: that is "
        "why n = O(d) is enough.",
        settings={"data": "gaussian", "examples": 20},
    ),
    Lesson(
        key="optimal-step",
        title="The best constant step",
        see="η = 2/(λ₁+λ_d) lets the fastest and the slowest mode shrink at the same rate, (κ−1)/(κ+1). Compare "
        "with auto under *Step size*: hold this curve first, then switch.",
        question="At κ = 20, how many loops does the best constant step save against 1/λ₁?",
        answer="About half. −1/ln((κ−1)/(κ+1)) ≈ κ/2 loops for a factor e of error, against ≈ κ with η = 1/λ₁.",
        settings={"condition_number": 20.0, "step_size": "optimal", "loops": 100},
    ),
    Lesson(
        key="over-the-edge",
        title="Over the edge",
        see="Beyond η = 2/λ₁ a mode is multiplied by a factor below −1 in every loop and grows. The page says so "
        "before it runs, and the transformer still does exactly what gradient descent does.",
        question="Which mode explodes first when the step grows: the slow one with the small eigenvalue, or the "
        "fast one?",
        answer="The fast one. The factor of mode k is 1 − ηλ_k, and ηλ_k passes 2 first where λ_k is largest.",
        settings={"step_size": 1.1, "loops": 60},
    ),
    Lesson(
        key="few-examples",
        title="Fewer examples than features",
        see="With n < d many weights fit the examples. The loop starts at 0 and finds the shortest one, so its "
        "error to that solution falls, while the distance to the task αw* stops at a floor.",
        question="n = 5 examples, d = 10 features. Roughly which part of w* stays unseen?",
        answer="Half of its squared length: the rows span n of d directions, and w* points anywhere, so the "
        "distance stops near √(1 − n/d) = 0.71.",
        settings={"examples": 5, "loops": 100},
    ),
    Lesson(
        key="noise",
        title="With noise, the limit is least squares",
        see="Noisy labels do not change how the loop moves: the first curve still falls to rounding. What it "
        "reaches is the least-squares solution, and its distance to αw* is the floor of the second curve.",
        question="Will more loops lower that floor? Will more examples?",
        answer="More loops do not. More examples do: the distance between least squares and w* shrinks like σ·√(d/n).",
        settings={"noise": 0.5, "loops": 60},
    ),
    Lesson(
        key="rounding",
        title="The rounding floor",
        see="In float32 both lines stop falling near 1e-7, while the closed form goes on: that is the end of the "
        "precision, not of the method.",
        question="Where will the floor lie when you switch to float64 under *Transformer*?",
        answer="Near 1e-15: float64 keeps about 16 digits instead of 7.",
        settings={"dtype": "float32", "loops": 120},
    ),
    Lesson(
        key="gd-plus-plus",
        title="GD++ beats gradient descent",
        see="Full weights can move the examples too: every loop makes the data better conditioned while w_t is on "
        "its way. After ten loops at κ = 20 the error is hundreds of times below that of gradient descent, measured "
        "here.",
        question="Its error grows in the first loops. Is that a mistake?",
        answer="No. Its step a is far above 2/λ₁, so the large modes overshoot at first. As every loop shrinks the "
        "eigenvalues, most where they are large, the same step soon suits all modes.",
        settings={"algorithm": "gd++", "condition_number": 20.0, "loops": 10},
    ),
    Lesson(
        key="momentum",
        title="Momentum: √κ instead of κ",
        see="One more slot for the iterate before, and a loop is a step of heavy-ball momentum. The best step and β "
        "leave (√κ−1)/(√κ+1) of the error in every loop; the rival with crosses is plain gradient descent.",
        question="κ = 100. In the long run gradient descent with 1/λ₁ needs about 230 loops for each tenth of the "
        "error. And momentum?",
        answer="About 11.5: (√κ−1)/(√κ+1) = 9/11, and (9/11)ᵗ = 1/10 at t = 11.5. The first tenth takes longer, 24 "
        "loops measured here, because two modes of the recurrence fall together at the best β.",
        settings={"algorithm": "heavy-ball", "condition_number": 100.0, "step_size": "optimal", "loops": 150},
    ),
    Lesson(
        key="newton",
        title="Newton in a loop",
        see="Two heads and a slot in which the examples are rewritten carry iterative Newton: every loop squares "
        "what is left of each mode. The error stays near 1 for a while and then falls to rounding within a few "
        "loops.",
        question="κ = 100 takes about twelve loops. How many more does κ = 10,000 take?",
        answer="About seven. What is left of the slowest mode is (1 − 1/κ) to the power 2ᵗ⁻¹, so 100 times the "
        "condition number is log₂ 100 ≈ 6.6 more doublings.",
        settings={"algorithm": "newton", "condition_number": 100.0, "loops": 20},
    ),
    Lesson(
        key="softmax",
        title="And softmax attention?",
        see="The same P and Q with a softmax over the scores. It still descends something, but not the squared "
        "error: its curve leaves that of gradient descent in the first loop and stops far from the solution.",
        question="Will a smaller step bring it to the solution?",
        answer="No. It walks down log Σ exp(⟨x_i, w⟩ − αy_i), whose lowest point lies elsewhere: at η = 0.1 and 500 "
        "loops the median error is still 0.8, measured.",
        settings={"algorithm": "softmax"},
    ),
    Lesson(
        key="real-data",
        title="Real patients",
        see="The 442 patients of the diabetes data as one prompt: what the loop finds are the coefficients of "
        "linear regression. Their columns are correlated, so κ is large and it takes thousands of loops.",
        question="What would shorten the run most: fewer patients, or leaving out one of two columns that say the "
        "same?",
        answer="Leaving out a column: s1 and s2 are nearly the same measurement, and such a pair makes the smallest "
        "eigenvalue tiny. Choose the feature columns under *Data* and watch κ.",
        settings={"data": "diabetes", "loops": 2000, "step_size": "optimal"},
    ),
)
"""Of the first page."""
