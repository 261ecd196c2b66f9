"""Lessons of the first page: the loop is the step.

Measured numbers name their seeds; the tests of the lessons measure them again.
"""

from looped.lesson import Lesson

ANY_PROMPTS = ("seed", "prompts")

OPENING = "first-look"
"""The lesson that the page opens with where nothing is asked for: so small that every number can be read."""

COMPARE = (
    Lesson(
        key=OPENING,
        title="What the transformer sees",
        see="Each column is a solved example: features x above, its label y below. The query column holds the present "
        "guess w. Press play and watch the numbers from pass to pass.",
        question="Which numbers of the prompt does a pass of the layer change?",
        choices=("The labels y", "The examples and the query", "The query's w alone"),
        right=2,
        answer="Every pass reads all examples again and leaves them as they are. The score of an example is the error "
        "of w on it, and the scores move w one step down the loss: T passes are T steps of gradient descent.",
        settings={"loops": 30, "examples": 6, "features": 2, "condition_number": 10.0, "form": "token"},
        free=(*ANY_PROMPTS, "loops", "examples", "features", "condition_number", "spectrum", "noise", "dtype", "form"),
    ),
    Lesson(
        key="one-step",
        title="One loop is one gradient step",
        see="The circles are explicit gradient descent, the line is the transformer. Watch max |loop − GD|, the "
        "largest difference between the two, while you change T, n, d or κ.",
        question="In float64, with n = 40, d = 10, κ = 5 and T = 50: how far apart do the two get?",
        choices=("Not at all: exactly 0", "About 1e-15", "About 1e-3"),
        right=1,
        answer="With another seed it is not 0 either: it lies between 5e-16 and 2e-15 for the seeds 0 to 49. Both "
        "methods compute the same sums in a different order, and float64 keeps about 16 digits. Choose float32 under "
        "*Precision*: the gap becomes about 5e-7, because float32 keeps about 7 digits. Whatever T, n, d and κ are, "
        "the circles lie on the line, down to where both are rounding noise.",
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
        title="The condition number sets the speed",
        see="The condition number κ is the ratio of the largest to the smallest non-zero eigenvalue of XᵀX/n. With η "
        "= 1/λ₁ it sets the slope in the long run. Move κ and watch the curve.",
        question="At κ = 5, in the long run, the error falls tenfold about every 10 loops. How many loops does a "
        "tenfold fall take at κ = 100?",
        choices=("About 10, as before", "About 45", "About 230", "About 4,000"),
        right=2,
        answer="Every loop multiplies the error in the slowest mode by 1 − 1/κ, and (1 − 1/κ)ᵗ = 1/10 at t ≈ κ·ln 10. "
        "So twenty times the condition number takes about twenty times the loops. The first tenfold fall takes fewer, "
        "95 to 123 (n = 40, d = 10, medians of 64 prompts, seeds 0 to 19), because the faster modes vanish first.",
        settings={"condition_number": 100.0, "loops": 400},
        free=(*ANY_PROMPTS, "loops", "examples", "features", "condition_number"),
    ),
    Lesson(
        key="more-examples",
        title="More examples improve the conditioning",
        see="With independent Gaussian rows κ is not set: it depends on the rows that are drawn. From n = d on, more "
        "rows are better conditioned. Move n between 20 and 400, and watch the measured κ and with it the slope.",
        question="At d = 10, where does the slope change more?",
        choices=("From n = 20 to n = 40", "From n = 200 to n = 400", "By the same factor in both"),
        right=0,
        answer="As d grows, κ tends to ((1+√(d/n))/(1−√(d/n)))²: 34 at n = 2d, 9 at 4d, 2.5 at 20d and 1.9 at 40d; at "
        "d = 10 the median is smaller. The limit depends on n/d alone, so it does not grow when n is in proportion to "
        "d. That is why n = O(d) examples are enough.",
        settings={"data": "gaussian", "examples": 20},
        free=(*ANY_PROMPTS, "loops", "examples"),
    ),
    Lesson(
        key="optimal-step",
        title="The best constant step in the long run",
        see="The step η = 2/(λ₁+λ_d) multiplies the slowest mode by (κ−1)/(κ+1) and the fastest by −(κ−1)/(κ+1). With "
        "any other constant step one of the two falls more slowly. To compare, press *Hold this curve*, then choose "
        "auto under *Step size*.",
        question="At κ = 20, what share of the loops does it save in the long run, compared with η = 1/λ₁?",
        choices=("None", "About a tenth", "About half", "About nine tenths"),
        right=2,
        answer="Dividing the error by e takes −1/ln((κ−1)/(κ+1)) ≈ κ/2 loops, here 10.0. With η = 1/λ₁ it takes about "
        "κ, here 19.5.",
        settings={"condition_number": 20.0, "step_size": "optimal", "loops": 100},
        free=(*ANY_PROMPTS, "loops", "condition_number", "step_size"),
    ),
    Lesson(
        key="over-the-edge",
        title="Too large a step diverges",
        see="Above η = 2/λ₁ every loop multiplies at least one mode by a number below −1, so the mode grows. The page "
        "says so before the run, and the transformer still does what gradient descent does, up to rounding.",
        question="As the step gets longer, which mode grows first?",
        choices=(
            "The fast one, with the largest eigenvalue",
            "The slow one, with the smallest eigenvalue",
            "All of them at the same step size",
        ),
        right=0,
        answer="Every loop multiplies mode k by 1 − ηλ_k, and ηλ_k passes 2 first where λ_k is largest.",
        settings={"step_size": 1.1, "loops": 60},
        free=ANY_PROMPTS,
    ),
    Lesson(
        key="few-examples",
        title="Fewer examples than features",
        see="With n < d many weight vectors fit the examples. The loop starts at 0 and heads for the shortest of "
        "them. So its error to that solution falls, while the distance to the task αw* stops at a floor.",
        question="With n = 5 examples and d = 10 features, what share of the squared length of w* do the examples "
        "leave undetermined, on average?",
        choices=("None", "About a tenth", "About half", "All of it"),
        right=2,
        answer="The rows span n of the d directions, and the direction of w* is random. So the distance stops near "
        "√(1 − n/d) = 0.71. Medians of 64 prompts lie between 0.65 and 0.78 (seeds 0 to 19).",
        settings={"examples": 5, "loops": 100},
        free=(*ANY_PROMPTS, "loops"),
    ),
    Lesson(
        key="noise",
        title="With noise, the limit is least squares",
        see="Noise on the labels does not change the factors of the modes. In the long run the first curve, the "
        "distance to least squares, falls as fast as without noise. The second, the distance to αw*, ends at the "
        "floor and may be below it on the way.",
        question="What lowers that floor?",
        choices=("More loops", "More examples", "Both", "Neither"),
        right=1,
        answer="More loops leave it where it is. At a given spectrum the distance from least squares to w* falls like "
        "σ/√n, so four times n halves the floor (a factor of 0.45 to 0.57, seeds 0 to 19). Stopping early helps a "
        "little here: the median distance is smallest after 6 to 11 loops, 0.7 to 10 % below the floor.",
        settings={"noise": 0.5, "loops": 60},
        free=(*ANY_PROMPTS, "loops"),
    ),
    Lesson(
        key="rounding",
        title="Rounding sets a floor",
        see="In float32 both lines stop falling near 3e-7, while the closed form goes on falling. The limit is the "
        "precision, not the method.",
        question="Where will the floor lie when you switch to float64 under *Precision*?",
        choices=("Near 3e-7, as now", "Near 1e-10", "Near 1e-15", "There is none"),
        right=2,
        answer="It is 8e-16 to 1.5e-15 (seeds 0 to 19), reached after about 150 loops: float64 keeps about 16 digits "
        "instead of 7.",
        settings={"dtype": "float32", "loops": 200},
        free=(*ANY_PROMPTS, "dtype"),
    ),
    Lesson(
        key="gd-plus-plus",
        title="GD++ moves the examples too",
        see="With full weights a loop moves the examples as well, so that the data become better conditioned from "
        "loop to loop. Watch the error in the first loops and in the last.",
        question="After ten loops at κ = 20, how does the median error of GD++ compare with that of gradient descent "
        "with η = 2/(λ₁+λ_d)?",
        choices=("It is larger", "About the same", "About ten times smaller", "Several hundred times smaller"),
        right=3,
        answer="It is 370 to 590 times smaller, measured on the seeds 0 to 19. That it grows in the first loops is no "
        "mistake: the step a is 5.75 times 2/λ₁, so the modes with large eigenvalues overshoot at first. Every loop "
        "shrinks the eigenvalues, the large ones most, and soon the same step suits all modes.",
        settings={"algorithm": "gd++", "condition_number": 20.0, "loops": 10},
        free=ANY_PROMPTS,
    ),
    Lesson(
        key="momentum",
        title="With momentum √κ replaces κ",
        see="One more slot holds the previous iterate, and a loop becomes a step of heavy-ball momentum, here with "
        "the best η and μ. The curve with crosses is plain gradient descent. Compare their slopes.",
        question="At κ = 100, in the long run, gradient descent with η = 1/λ₁ needs about 230 loops to divide the "
        "error by 10. How many does momentum need?",
        choices=("About 2.3", "About 11.5", "About 115", "About 230 as well"),
        right=1,
        answer="With the best η and μ a loop leaves (√κ−1)/(√κ+1) = 9/11 of the error in the long run, and (9/11)ᵗ = "
        "1/10 at t = 11.5. The first tenfold fall takes 22 to 24 loops (medians of 64 prompts, seeds 0 to 19), "
        "because at the best μ the two roots of the slowest mode are equal, and it falls like t·(9/11)ᵗ.",
        settings={"algorithm": "heavy-ball", "condition_number": 100.0, "step_size": "optimal", "loops": 150},
        free=(*ANY_PROMPTS, "loops"),
    ),
    Lesson(
        key="newton",
        title="Newton squares what is left",
        see="With two heads, and a slot in which the examples are rewritten, a loop is a step of iterative Newton: it "
        "squares the factor that is left of each mode. While the factor is near 1 the error falls slowly, then within "
        "a few loops to rounding.",
        question="At κ = 100 the median error reaches 1e-10 after 13 loops. How many more does κ = 10,000 take?",
        choices=("None", "Six or seven", "About 120", "About 1,300"),
        right=1,
        answer="It takes 19 loops in all (seeds 0 to 19). What is left of the slowest mode is (1 − 1/κ) to the power "
        "2ᵗ⁻¹, so 100 times the condition number is log₂ 100 ≈ 6.6 more doublings.",
        settings={"algorithm": "newton", "condition_number": 100.0, "loops": 20},
        free=(*ANY_PROMPTS, "loops", "condition_number"),
    ),
    Lesson(
        key="softmax",
        title="Softmax attention descends another function",
        see="Here the same P and Q have a softmax over the scores. Every loop is still a gradient step, but not on "
        "the squared error: after 50 loops the median error is 0.73 to 0.93 (seeds 0 to 19), that of gradient descent "
        "nearly 0.",
        question="Will a smaller step bring it to the least-squares solution?",
        choices=("Yes, with enough loops", "Yes, within 50 loops", "No, it ends about as far away"),
        right=2,
        answer="It descends log Σ exp(⟨x_i, w⟩ − αy_i), whose lowest point lies elsewhere: with η = 0.1 and 500 loops "
        "it ends at 0.73 to 0.93 as well. On the way it comes as close as 0.50 to 0.60.",
        settings={"algorithm": "softmax"},
        free=ANY_PROMPTS,
    ),
    Lesson(
        key="real-data",
        title="The loop fits real data",
        see="The 442 patients of the diabetes data are one prompt, and the loop heads for the coefficients of linear "
        "regression. All ten columns together have κ = 470. With the optimal step it takes about 2,700 loops until "
        "0.00001 of the slowest mode is left.",
        question="Which column would you leave out to shorten the run most?",
        choices=("age", "s1", "s2", "sex"),
        right=1,
        answer="Without s1 κ is 47, without s2 64, and without age, sex or s6 it stays above 425. The smallest "
        "eigenvalue belongs to s1 minus a mixture of s2, s3 and s5, which together predict s1 with R² = 0.98. No pair "
        "of columns is the cause: s1 and s2 (correlation 0.90) alone have κ = 18. Choose the feature columns under "
        "*Data* and watch κ.",
        settings={"data": "diabetes", "target": "target", "loops": 2000, "step_size": "optimal"},
        free=(*ANY_PROMPTS, "loops", "feature_columns"),
    ),
)
"""The lessons of the first page."""
