"""Lessons of the second page, on how many examples are needed."""

from looped.lesson import Lesson

CONTEXT = (
    Lesson(
        key="three-per-feature",
        title="About three examples per feature are enough",
        see="With normal rows, d = 10, T = 50 loops and η = 1/λ₁, half of 4,000 prompts have an error of at most 10⁻³ "
        "from about n = 2.8d on, and 9 of 10 from about 3.6d on. The number below is measured on 64 prompts: over "
        "twenty seeds it is 2.59 to 2.95 for half of them and 3.43 to 3.83 for 9 of 10. No number exponential in T is "
        "needed, only a κ that is not large.",
        question="With T = 50 loops and d = 10 features, how many examples does an error of 10⁻³ in half of the "
        "prompts need: 30, 300, or 10¹⁹⁰?",
        answer="About 28. At n = 2.8d the median κ is about 10, and 50 loops leave at most (1 − 1/κ)⁵⁰ of the "
        "distance to w*. In the limit of large d it is n = 3.38d. The 10¹⁹⁰ is derived here from a theorem about "
        "learned weights; at that n the theorem says no more of them than 0 ⪯ A ⪯ 2Σ⁻¹.",
    ),
    Lesson(
        key="more-loops",
        title="More loops need no more examples",
        see="Follow the level line in the map upwards, to more loops: with η = 1/λ₁ it moves to the left and never "
        "back. The exponential requirement grows by more than 3.6 decades with every loop.",
        question="From T = 50 to T = 200, does the smallest n/d for an error of 10⁻³ grow, stay the same or fall?",
        answer="It falls, at d = 10 from about 2.8 to 1.5: with more loops the same error is reached at a larger κ. "
        "For an error this small it cannot fall below 1, because fewer examples than features do not determine w*.",
        settings={"shown_loops": 200},
    ),
    Lesson(
        key="dimension",
        title="Twice the features need about twice the examples",
        see="For an error of 10⁻³ after 50 loops half of the prompts with normal rows need about n = 2.8d at d = 10, "
        "about 3.0d at d = 20, and 3.38d in the limit of large d. The need in n/d stays bounded, which is what n = "
        "O(d) says.",
        question="For an error of 10⁻³ after 50 loops the median prompt of d = 10 needs n/d = 2.8. What will d = 20 "
        "need?",
        answer="About 3.0. In the limit of large d the eigenvalues of XᵀX/n follow Marchenko and Pastur's law, which "
        "depends on n/d alone; at smaller d the median κ is below the law's ((1+√(d/n))/(1−√(d/n)))².",
        settings={"features": 20, "prompts": 32},
    ),
    Lesson(
        key="too-few",
        title="Fewer examples than features",
        see="Below n = d the error cannot reach 0: the loop finds the shortest solution, and part of w* is never seen. "
        "The mean square of that part is 1 − n/d. No bound is drawn there, and κ counts the non-zero eigenvalues.",
        question="Where is the median κ largest: at n = d/2, at n = d or at n = 2d?",
        answer="At n = d. In the limit of large d the non-zero eigenvalues at n = d/2 have the same κ as those at n "
        "= 2d: Marchenko and Pastur's formula stays the same when n and d are exchanged.",
        settings={"ratios": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.3, 1.5, 2, 3), "shown_loops": 200},
    ),
    Lesson(
        key="heavy-tails",
        title="Heavy-tailed rows need more examples",
        see="Rows of Student's t have rare huge entries, which make λ₁, and with it κ, large in some prompts. The "
        "mean is over 10 times the median at more values of n/d than with normal rows. Compare the need of the median "
        "prompt with that of 9 of 10.",
        question="Half of the prompts with normal rows need n/d = 2.8 for 10⁻³ after 50 loops at d = 10. What do "
        "rows of Student's t with 3 degrees of freedom need?",
        answer="About 4.1 for half of them, and about 9.5 for 9 of 10, where normal rows need 3.6 (4,000 prompts "
        "each). With 64 prompts the figure for 9 of 10 varies from 7.5 to 16 between twenty seeds. That κ stays "
        "bounded is an assumption about the rows.",
        settings={"rows": "student"},
    ),
    Lesson(
        key="one-step-for-all",
        title="A few prompts can dominate the mean",
        see="With one step η = 0.6 for all prompts, those whose λ₁ is above 2/η = 3.33 diverge. From n = d/2 to n = d "
        "the mean error is more than 10 times the median. The charts draw the median.",
        question="Which prompts diverge: those with few examples, or those with many?",
        answer="Those with few. As d grows, λ₁ tends to (1+√(d/n))², which is large where n/d is small; at d = 10 it "
        "varies around smaller values. Of 4,000 prompts at each n, 84 % diverge at n = d/2, 39 % at n = d, 1.6 % at "
        "2d, none at 4d.",
        settings={"step_size": 0.6},
    ),
    Lesson(
        key="correlated",
        title="Correlated features limit what examples can do",
        see="The covariance Σ of the rows has κ = 10, and as n/d grows the median κ falls towards 10. Single prompts "
        "lie on both sides: at n = 50d, 28 % of 4,000 prompts have a κ below 10.",
        question="Can more examples make up for correlated features?",
        answer="Only up to a point. XᵀX/n tends to Σ, so κ tends to that of Σ, and the error after T loops to what Σ "
        "allows. From there on more loops help, or a matrix A near Σ⁻¹ in place of the step size: train A too and "
        "compare.",
        settings={"rows": "correlated"},
    ),
)
"""The lessons of the second page."""
