"""Lessons of the third page, on what training finds."""

from looped.lessons.lesson import Lesson

TRAIN = (
    Lesson(
        key="gd-plus-plus",
        title="Full weights become GD++",
        see="All of P and Q were trained from random weights, and what came out is nearly two numbers: a step a, "
        "and γ, by which every loop makes the inputs rounder. Press Train and watch the matrices take that shape.",
        question="How much better than the best gradient descent with T = 10 steps can ten loops of full weights be?",
        answer="Hundreds of times in mean squared error with the tail sampled, thousands over plain draws; "
        "measured, not proved. Moving the inputs makes the data better conditioned from loop to loop, as no step "
        "size can.",
    ),
    Lesson(
        key="preconditioner",
        title="A alone: a step size with a twist",
        see="Only A is trained, so every loop is a gradient step with the matrix A for its step. The diagonal of A "
        "comes near the best step size; look at what stands beside the diagonal.",
        question="All directions are alike here. Will the trained A be a multiple of the identity?",
        answer="No. It gains an antisymmetric part, a rotation, and with it a lower risk than any multiple of the "
        "identity has. For T = 1 the best A is a multiple of the identity; for ten loops it is not.",
        settings={"weights": "preconditioner"},
    ),
    Lesson(
        key="one-loop",
        title="One loop: the known optimum",
        see="For T = 1 the best A is known in closed form, n/(n+1+d)·I. Training finds it within seconds, and the "
        "page says how far it is away.",
        question="Why is the best step for n = 20, d = 5 below 1, although the covariance of x is the identity?",
        answer="With 20 examples XᵀX/n is not the identity but varies around it; a smaller step pays for that: "
        "20/26 = 0.77.",
        settings={"weights": "preconditioner", "loops": 1},
    ),
    Lesson(
        key="untied",
        title="Three layers of their own",
        see="Three untied layers, trained together. Each becomes GD++ with numbers of its own, and the last step is "
        "the largest.",
        question="Which is better after three layers: the same weights three times, or three sets of weights?",
        answer="Three sets, on nearly every prompt: over plain draws the mean of three tied loops is about fifteen "
        "times larger, because early layers can make the data round and the last one takes the step. On rare "
        "prompts with a large λ₁ the untied layers are far worse: with the tail sampled their mean is 0.3 ± 0.2, "
        "that of the tied loops 0.015, measured.",
        settings={"loops": 3, "untied": True},
    ),
    Lesson(
        key="generation",
        title="Generating w",
        see="The query token is to become w itself, as on the first page, and ‖w_T − w*‖² is trained. The write "
        "mask keeps the examples where they are, so this is gradient descent with a learned step.",
        question="Can the examples be made rounder here, as GD++ does?",
        answer="No: only the query is written, and G stays as it is. What is left to learn is the matrix step.",
        settings={"task": "generation", "weights": "preconditioner", "loops": 5},
    ),
)
