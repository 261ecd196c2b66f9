"""Every symbol that the pages use, in one line each."""

GLOSSARY: dict[str, str] = {
    "T, t": "number of loops, and one of them. The same layer is applied T times; t = 0 is the start.",
    "n": "number of examples (x, y) in the prompt, the context length.",
    "d": "number of features, the length of x and of w.",
    "B": "number of prompts that are run side by side, each with a task of its own.",
    "x_i, y_i": "one example: d features and the label y_i = ⟨w\\*, x_i⟩ + noise.",
    "X, y": "the n examples of a prompt as a matrix (n × d) and a vector (n).",
    "w\\*": "the task: the weights that made the labels.",
    "w_t": "the iterate after t loops, read from the query token.",
    "w_ref": "where the loop is heading: the shortest least-squares solution for the labels of the prompt.",
    "α": "label scale: all labels are multiplied by it, so the loop ends at α·w\\*.",
    "σ": "standard deviation of the noise on the labels.",
    "η": "step size of gradient descent.",
    "λ_k": "eigenvalues of XᵀX/n, λ₁ the largest, λ_d the smallest. Mode k shrinks by 1 − ηλ_k in every loop.",
    "κ": "condition number λ₁/λ_min, on the eigenvalues that are not 0. 1 is perfectly round data.",
    "Z": "the tokens as columns: n examples and one query at the end.",
    "P, Q": "the weights of linear attention: Q joins key and query, P value and projection.",
    "M, R": "masks: M keeps the query from being a key, R lets only the query be written.",
    "linear attention": "attention without softmax: Z ← Z − (η/n) P Z M (Zᵀ Q Z) R.",
    "GD++": "gradient descent whose examples move too, each loop making the data better conditioned.",
    "H": "covariance of the features of an example, where tasks share a signal.",
    "β̃, β\\*, Ψ": "a task drawn from N(β\\*, Ψ): β\\* is what all tasks have in common, Ψ how they differ.",
    "M (signal page)": "number of examples in the prompt there, as in its source.",
    "LSA, LTB": "linear self-attention, and the linear transformer block: linear self-attention with an MLP.",
    "GD-β, GD-0": "one step of gradient descent that starts from a learned β, or from 0, with a learned matrix step Γ.",
}
"""Symbol to meaning, both in Markdown."""
