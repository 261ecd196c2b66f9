"""Lessons of the third page, on what training finds."""

from looped.lesson import Lesson

TRAIN = (
    Lesson(
        key="gd-plus-plus",
        title="Full weights become GD++",
        see="All of P and Q were trained from random weights, and two numbers nearly describe what came out: a step "
        "size a, and γ, by which every loop makes the inputs better conditioned. Press Train and watch the matrices "
        "take that shape.",
        question="In median query error, how much better than the best gradient descent with T = 10 steps are ten "
        "loops of full weights?",
        choices=("Not better: they are gradient descent", "About twice", "About 100 times", "Over 100,000 times"),
        right=3,
        answer="In ten runs with different seeds the median query error was 1.3e-9 to 6.3e-9; the best single step "
        "has 1.4e-3. Over the prompts with λ_1 below 4.16, all but about one in a million, the mean was 3e-7 to "
        "1.1e-5, and 0.025 for the best single step. Moving the inputs makes the data better conditioned from loop to "
        "loop; no step size can do that.",
    ),
    Lesson(
        key="preconditioner",
        title="A takes the place of the step size",
        see="Only A is trained, so every loop is a gradient step with the matrix A in place of the step size. The "
        "diagonal of A comes near the best step size; look at the entries off the diagonal.",
        question="All directions are alike here. Will the trained A be a multiple of the identity?",
        choices=("Yes, nearly exactly", "No, it prefers one direction", "No, it turns as well"),
        right=2,
        answer="In ten of ten runs A gained an antisymmetric part, a rotation, of 43 to 45 % of its length. The mean "
        "query error over all prompts was 0.0172 to 0.0179; the best multiple of the identity has 0.0269. For T = 1 "
        "the best A is a multiple of the identity.",
        settings={"weights": "preconditioner"},
    ),
    Lesson(
        key="one-loop",
        title="For one loop the optimum is known",
        see="For T = 1 the best A is known in closed form, a multiple of the identity. Training takes about a second, "
        "and the page says how far the trained A is from it.",
        question="The covariance of x is the identity. How long is the best step for n = 20, d = 5?",
        choices=("0.25", "0.77", "1, as for the identity", "1.3"),
        right=1,
        answer="For T = 1 the best A is n/(n+1+d)·I, and 20/26 = 0.77. With 20 examples XᵀX/n is not the identity but "
        "varies around it, and a long step does most harm where its eigenvalues are large. So on average the best "
        "step is below 1.",
        settings={"weights": "preconditioner", "loops": 1},
    ),
    Lesson(
        key="untied",
        title="Untied layers take different steps",
        see="Three untied layers are trained together. Each becomes GD++ with its own a and γ, and the last step is "
        "the largest.",
        question="Which is better on a typical prompt after three layers?",
        choices=("Three sets of weights", "The same weights three times", "Neither: both are equally good"),
        right=0,
        answer="In ten runs of each the median query error was 4.4e-5 to 5.0e-5 with three sets, and 6.9e-4 to 7.1e-4 "
        "with the same weights three times. Early layers can improve the conditioning, and the last one takes the "
        "step. On rare prompts with a large λ_1 they are far worse, and these dominate the mean over all prompts: "
        "0.46 to 0.74 against 0.015.",
        settings={"loops": 3, "untied": True},
    ),
    Lesson(
        key="generation",
        title="Finding w is gradient descent",
        see="The query token is to become w itself, as on the first page, and the loss is ‖w_T − w*‖². The write mask "
        "decides which tokens a loop changes.",
        question="Can the loop make the examples better conditioned here, as GD++ does?",
        choices=("No, never", "Yes, from loop to loop", "Yes, but only in the first loop"),
        right=0,
        answer="The write mask keeps the examples as they are. Only the query is written, and the state G of the "
        "examples stays the same. So this is gradient descent with a learned step: all that can be learned is the "
        "matrix in place of the step size.",
        settings={"task": "generation", "weights": "preconditioner", "loops": 5},
    ),
)
