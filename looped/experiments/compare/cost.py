"""The cost of a comparison, estimated before it starts, and the caps that follow.

The estimate adds up the floating-point operations of each stage over the speed that stage reaches on one current
core, plus a fixed price per loop. `benchmarks/` compares it with measured times.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace

from looped.algorithms import ALGORITHMS
from looped.algorithms.base import Algorithm
from looped.budget import Cost
from looped.fields import SettingsError
from looped.settings import SYNTHETIC, Settings
from looped.tables import Table

BUDGET = Cost(seconds=2.0, bytes=1024**3)
"""The most a run may cost by the estimate; the time that is measured stays below 3 s."""
QUICK_SECONDS = 0.05
"""The most a slider move may cost, CPU seconds, before the page lowers the number of prompts."""
DIRECT_CAP = 2e7
"""Largest B·n·d·T for which explicit gradient descent reads X in every step; beyond it steps on XᵀX."""
FOLDS = 5
"""Folds of the prediction of held-out rows of a table; each is a run of its own."""
TOKEN_CAP = 2e9
"""Largest B·n·d·T for the token form, about a second."""
TOKEN_SECONDS = 0.02
"""The most that the token form may cost more than the state form, CPU seconds, where `auto` chooses it."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The numbers that decide what a run costs."""

    B: int
    """Prompts."""
    n: int
    """Examples."""
    d: int
    """Features."""
    T: int
    """Loops."""
    D: int
    """Length of a token."""
    token_form: bool
    """True where every loop reads all tokens."""
    synthetic: bool
    """True where prompts are drawn."""
    algorithm: type[Algorithm]
    """The algorithm that a loop is a step of."""

    @property
    def gram(self) -> bool:
        """True where explicit gradient descent steps on XᵀX. Never for n ≤ d, where X is the smaller matrix."""
        return self.n > self.d and self.B * self.n * self.d * self.T > DIRECT_CAP

    @property
    def seconds(self) -> float:
        """Estimated CPU seconds on one core."""
        B, n, d, T = self.B, self.n, self.d, self.T
        r = min(n, d)
        draw = B * (2e-5 + 1.2e-7 * n * d + 4e-10 * n * r * r) if self.synthetic else 0
        spectrum = B * (2e-5 + 5e-8 * n * d + 4e-10 * n * r * r + 3e-9 * r**3)
        gradient = T * (1e-5 + B * (2e-7 + (6e-10 * d * d if self.gram else 1.4e-9 * n * d)))
        looped, explicit = self._loops, gradient
        if self._more:
            looped += T * (2.5e-5 + B * r * 1.5e-8) + 1e-2  # the errors of the modes, and a search of its numbers
            explicit += gradient + T * B * self.algorithm.twin_seconds(n, d)  # plain gradient descent beside it
        errors = T * B * (3e-7 + 2.5e-8 * d)
        held_out = 0 if self.synthetic else FOLDS * (spectrum + looped)
        return 2e-3 + draw + spectrum + looped + held_out + explicit + errors

    @property
    def _loops(self) -> float:
        """Estimated CPU seconds of the transformer."""
        B, n, d, T, D = self.B, self.n, self.d, self.T, self.D
        if not self.algorithm.has_state and not self.algorithm.softmax:  # every token is written
            operations = self.algorithm.layer_operations(n, d)
            return T * (3e-4 + B * (3e-6 + 5e-11 * operations + 1e-8 * D * (n + self.algorithm.queries(d))))
        maps = self.algorithm.maps  # token-wise maps beside attention, (D, D) for each prompt
        if self.token_form or (maps and n <= d):
            return T * (2e-5 + B * (2e-7 + 7e-10 * n * D + (2.5e-9 * D * D if maps else 0)))
        k = D if n > d else n
        return B * (1e-10 * n * D * D + 2e-9 * k**3 + T * (2e-8 + 6e-9 * D + 3e-10 * k * D)) + 2e-5 * T**0.5

    @property
    def _more(self) -> bool:
        """True where the modes' errors are computed beside a closed form, and a rival is run."""
        return self.algorithm.has_rival or self.algorithm.softmax

    @property
    def bytes(self) -> int:
        """Estimated memory of the arrays, in bytes, all counted as float64."""
        n, d, D, queries = self.n, self.d, self.D, self.algorithm.queries(self.d)
        data = 7 * n * d + 6 * (D**2 if n > d else n**2)
        loop = D * queries + d
        if n <= d and not self.token_form:
            loop = max(loop, 2 * D + 3 * n)
        history = max(loop, 4 * d) + d + 12
        if self._more:
            data += 4 * D * (n + queries) + 2 * D**2
            history += d + 3 * min(n, d)
        return 8 * self.B * (data + (self.T + 1) * history)

    @property
    def cost(self) -> Cost:
        """Both."""
        return Cost(seconds=self.seconds, bytes=self.bytes)

    @property
    def allowed(self) -> bool:
        """True where the run keeps within the limits of time and memory, and of the token form."""
        reads = self.B * self.n * self.d * self.T
        return BUDGET.allows(self.cost) and not (self.token_form and reads > TOKEN_CAP)


def sizes(settings: Settings, table: Table | None = None) -> Sizes:
    """The sizes of the run for these settings, and for this table if there is one."""
    synthetic = settings.data in SYNTHETIC
    n = settings.examples if table is None else table.rows
    d = settings.features if table is None else len(table.columns)
    algorithm = ALGORITHMS[settings.algorithm]
    run = Sizes(
        B=settings.prompts if synthetic else 1,
        n=n,
        d=d,
        T=settings.loops,
        D=algorithm.width(d, settings.layout),
        token_form=settings.form == "token" or algorithm.softmax,
        synthetic=synthetic,
        algorithm=algorithm,
    )
    if settings.form != "auto":
        return run
    token = replace(run, token_form=True)
    return token if token.allowed and token.seconds - run.seconds <= TOKEN_SECONDS else run


def run_form(settings: Settings, table: Table | None = None) -> Settings:
    """The settings with the form that is run, where they leave it to the cost, which is that of all their prompts."""
    if settings.form != "auto":
        return settings
    return settings.replace(form="token" if sizes(settings, table).token_form else "state")


def estimate(settings: Settings, table: Table | None = None) -> Cost:
    """The cost of a run."""
    return sizes(settings, table).cost


def most_prompts(settings: Settings, table: Table | None = None, quick: int = 0) -> int:
    """The largest number of prompts, at most that of the settings or the one of a table, that is allowed, or 0.

    Args:
        settings: Settings of the requested run.
        table: the real data, if any.
        quick: how many runs share `QUICK_SECONDS`, if any do: keep below this one's part, or where one prompt alone
            costs more, within a quarter above that.
    """
    run = sizes(settings, table)
    seconds = max(QUICK_SECONDS / max(1, quick), 1.25 * replace(run, B=1).seconds)

    def too_many(B: int) -> bool:
        smaller = replace(run, B=B)
        return not smaller.allowed or (quick > 0 and smaller.seconds > seconds)

    return bisect_left(range(1, run.B + 1), True, key=too_many)


def check(settings: Settings, table: Table | None = None) -> None:
    """Refuse a run beyond the limits.

    Raises:
        SettingsError: one sentence with the estimate and the nearest setting that fits.
    """
    run = sizes(settings, table)
    if run.allowed:
        return
    what = f"T = {run.T}, n = {run.n}, d = {run.d}"
    if most := most_prompts(settings, table):
        field, why = "prompts", (
            f"prompts = {run.B} needs about {run.seconds:.1f} s and {run.bytes / 1024**2:,.0f} MiB at {what}, more "
            f"than {BUDGET.seconds:g} s, {BUDGET.bytes // 1024**2:,} MiB or the cap of the token form allow: "
            f"choose at most {most} prompts, or smaller sizes."
        )  # fmt: skip
    elif run.token_form and run.algorithm.has_state:
        long = f"form = token at {what} would take about {run.seconds:.0f} s"
        field, why = "form", f"{long}: choose the state form, or smaller sizes."
    else:
        long = f"{what} would take about {run.seconds:.1f} s"
        field, why = "loops", f"{long}: choose a smaller T, or fewer rows and columns."
    raise SettingsError(field, why)
