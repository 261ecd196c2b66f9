"""Lessons of the second page, on how many examples are needed."""

from looped.lesson import Lesson

CONTEXT = (
    Lesson(
        key="three-per-feature",
        title="How many examples do 50 loops need?",
        see="Rows are normal, d = 10 and η = 1/λ₁. Guess the n/d from which the median error after T loops is at most "
        "10⁻³, for a few and for many loops; then show what was measured.",
        question="With T = 50 loops and d = 10 features, how many examples does an error of 10⁻³ in half of the "
        "prompts need?",
        choices=("About 30", "About 300", "About 10¹⁹⁰"),
        right=0,
        answer="About 28. With normal rows, d = 10, T = 50 loops and η = 1/λ₁, half of 4,000 prompts have an error of "
        "at most 10⁻³ from about n = 2.8d on, and 9 of 10 from about 3.6d on. The number below is measured on 64 "
        "prompts: over twenty seeds it is 2.59 to 2.95 for half of them and 3.43 to 3.83 for 9 of 10. At n = 2.8d the "
        "median κ is about 10, and 50 loops leave at most (1 − 1/κ)⁵⁰ of the distance to w*: no number exponential in "
        "T is needed, only a κ that is not large. In the limit of large d it is n = 3.38d. The 10¹⁹⁰ is derived here "
        "from a theorem about learned weights; at that n the theorem says no more of them than 0 ⪯ A ⪯ 2Σ⁻¹.",
    ),
    Lesson(
        key="more-loops",
        title="What more loops need",
        see="Follow the measured curve to more loops, or the level line in the map below (Error for every n/d and T). "
        "The exponential requirement grows by more than 3.6 decades with every loop.",
        question="From T = 50 to T = 200, what does the smallest n/d for an error of 10⁻³ do?",
        choices=("It grows", "It stays the same", "It falls"),
        right=2,
        answer="At d = 10 it falls from about 2.8 to 1.5: with more loops the same error is reached at a larger κ. "
        "With η = 1/λ₁ the level line moves to the left and never back. For an error this small it cannot fall below "
        "1, because fewer examples than features do not determine w*.",
        settings={"shown_loops": 200},
    ),
    Lesson(
        key="dimension",
        title="Twice the features",
        see="The same sweep at d = 20. The need is given as n/d, the number of examples for each feature.",
        question="For an error of 10⁻³ after 50 loops the median prompt of d = 10 needs n/d = 2.8. What will d = 20 "
        "need?",
        choices=("About 1.4", "About 3.0", "About 5.6", "About 28"),
        right=1,
        answer="For an error of 10⁻³ after 50 loops half of the prompts with normal rows need about n = 2.8d at d = "
        "10, about 3.0d at d = 20, and 3.38d in the limit of large d: twice the features need about twice the "
        "examples. The need in n/d stays bounded, which is what n = O(d) says. In the limit of large d the "
        "eigenvalues of XᵀX/n follow Marchenko and Pastur's law, which depends on n/d alone; at smaller d the median "
        "κ is below the law's ((1+√(d/n))/(1−√(d/n)))².",
        settings={"features": 20, "prompts": 32},
    ),
    Lesson(
        key="too-few",
        title="Fewer examples than features",
        see="Below n = d the error cannot reach 0: the loop finds the shortest solution, and part of w* is never "
        "seen. The mean square of that part is 1 − n/d. No bound is drawn there, and κ counts the non-zero "
        "eigenvalues.",
        question="Where is the median κ largest?",
        choices=("At n = d/2", "At n = d", "At n = 2d"),
        right=1,
        answer="In the limit of large d the non-zero eigenvalues at n = d/2 have the same κ as those at n = 2d: "
        "Marchenko and Pastur's formula stays the same when n and d are exchanged.",
        settings={"ratios": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.3, 1.5, 2, 3), "shown_loops": 200},
    ),
    Lesson(
        key="heavy-tails",
        title="Heavy-tailed rows",
        see="Rows of Student's t have rare huge entries, which make λ₁, and with it κ, large in some prompts. The "
        "mean is over 10 times the median at more values of n/d than with normal rows. Compare the need of the median "
        "prompt with that of 9 of 10.",
        question="Half of the prompts with normal rows need n/d = 2.8 for 10⁻³ after 50 loops at d = 10. What do rows "
        "of Student's t with 3 degrees of freedom need?",
        choices=("About 2.8 as well", "About 4.1", "About 28"),
        right=1,
        answer="About 4.1 for half of them, and about 9.5 for 9 of 10, where normal rows need 3.6 (4,000 prompts "
        "each). With 64 prompts the figure for 9 of 10 varies from 7.5 to 16 between twenty seeds. That κ stays "
        "bounded is an assumption about the rows.",
        settings={"rows": "student"},
    ),
    Lesson(
        key="one-step-for-all",
        title="A few prompts can dominate the mean",
        see="With one step η = 0.6 for all prompts, those whose λ₁ is above 2/η = 3.33 diverge. The charts draw the "
        "median.",
        question="Which prompts diverge?",
        choices=("Mostly those with few examples", "Mostly those with many examples", "As many at every n/d"),
        right=0,
        answer="As d grows, λ₁ tends to (1+√(d/n))², which is large where n/d is small; at d = 10 it varies around "
        "smaller values. Of 4,000 prompts at each n, 84 % diverge at n = d/2, 39 % at n = d, 1.6 % at 2d, none at 4d. "
        "From n = d/2 to n = d the mean error is more than 10 times the median.",
        settings={"step_size": 0.6},
    ),
    Lesson(
        key="correlated",
        title="Correlated features limit what examples can do",
        see="The covariance Σ of the rows has κ = 10. Watch the median κ and the error as n/d grows.",
        question="Can more examples make up for correlated features?",
        choices=("Yes, with enough of them", "No, not at all", "Only up to a point"),
        right=2,
        answer="XᵀX/n tends to Σ, so κ tends to that of Σ, and the error after T loops to what Σ allows. As n/d grows "
        "the median κ falls towards 10, with single prompts on both sides: at n = 50d, 28 % of 4,000 prompts have a κ "
        "below 10. From there on more loops help, or a matrix A near Σ⁻¹ in place of the step size: train A too and "
        "compare.",
        settings={"rows": "correlated"},
    ),
)
"""The lessons of the second page."""
