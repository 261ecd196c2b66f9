"""Lessons of the second page, on how many examples are needed."""

from looped.lessons.lesson import Lesson

CONTEXT = (
    Lesson(
        key="three-per-feature",
        title="Three examples per feature are enough",
        see="After T = 50 loops the median error falls below 10⁻³ from about n = 3d on. Nothing exponential in T is "
        "needed: only a κ that is no longer large.",
        question="T = 50 loops, d = 10 features, an error of 10⁻³: 30 examples, 300, or 8²⁰⁰?",
        answer="About 30. At n = 3d the condition number is a constant, and 50 loops multiply the error by (1 − "
        "1/κ)⁵⁰. The 8²⁰⁰ is derived here from a theorem about learned weights.",
    ),
    Lesson(
        key="more-loops",
        title="More loops need no more examples",
        see="Follow the level line in the map upwards: it moves to the left. The smallest n/d falls with T, while "
        "the exponential requirement grows by 3.6 decades with every loop.",
        question="From T = 50 to T = 200: does the smallest n/d for an error of 10⁻³ grow, stay or fall?",
        answer="It falls, from about 3 towards 1.5: with more loops a worse κ can be afforded. It cannot fall below "
        "1, because fewer examples than features do not determine w*.",
        settings={"shown_loops": 200},
    ),
    Lesson(
        key="dimension",
        title="Twice the features, twice the examples",
        see="At d = 20 the same n/d is needed as at d = 10: n grows in proportion to d, which is what n = O(d) "
        "says. The κ chart comes closer to Marchenko and Pastur's line.",
        question="For an error of 10⁻³ after 50 loops d = 10 needs n/d = 2.8. What will d = 20 need?",
        answer="About 3. In the limit of large d κ is ((1+√(d/n))/(1−√(d/n)))², which depends on n/d alone.",
        settings={"features": 20, "prompts": 32},
    ),
    Lesson(
        key="too-few",
        title="Fewer examples than features",
        see="Below n = d the error stops near √(1 − n/d), whatever T is: the loop finds the shortest solution, and "
        "part of w* is never seen. No bound is drawn there, and κ counts the non-zero eigenvalues.",
        question="Where is κ worst: at n = d/2, at n = d or at n = 2d?",
        answer="At n = d. In the limit of large d the non-zero eigenvalues at n = d/2 are as well conditioned as "
        "those at n = 2d: Marchenko and Pastur's formula stays the same when n and d are exchanged.",
        settings={"ratios": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.3, 1.5, 2, 3), "shown_loops": 200},
    ),
    Lesson(
        key="heavy-tails",
        title="Heavy tails",
        see="Student's t rows have rare huge entries, which make λ₁ and with it κ large in some prompts. The bands "
        "are wide, and the mean is ruled by few prompts: compare the median prompt with 9 of 10.",
        question="Normal rows need n/d = 2.8 for 10⁻³ after 50 loops. What do rows of Student's t with 3 degrees of "
        "freedom need?",
        answer="The median prompt about 4, half as many again; 9 of 10 prompts about 8, against 3.4. That κ is a "
        "constant is an assumption about the data, and heavy tails strain it.",
        settings={"rows": "student"},
    ),
    Lesson(
        key="one-step-for-all",
        title="When the mean is ruled by few",
        see="One step η = 0.6 for all prompts: those whose λ₁ is above 2/η diverge, and their errors rule every "
        "mean. The medians tell another story, and they are drawn.",
        question="Which prompts diverge: those with few examples, or those with many?",
        answer="Those with few: their λ₁ varies most. With more examples per feature λ₁ comes close to (1+√(d/n))², "
        "and none passes 2/η.",
        settings={"step_size": 0.6},
    ),
    Lesson(
        key="correlated",
        title="Correlated rows",
        see="Rows with a covariance of condition number κ_Σ = 10: κ falls with n/d, but not below 10. The error at "
        "n = 50d is then set by Σ, not by the number of examples.",
        question="Can more examples make up for correlated features?",
        answer="No. XᵀX/n tends to Σ, so κ tends to κ_Σ. n = O(d) is enough only if Σ itself is well conditioned, "
        "or if A ≈ Σ⁻¹ is learned: train A too and compare.",
        settings={"rows": "correlated"},
    ),
)
"""Of the second page."""
