"""What the token form costs more than the state form: CPU milliseconds of a run with its summary and its charts.

`python benchmarks/forms.py` runs both in turns on the same seeds, and gives 10 %, median and 90 % of the differences.
"""

import time

import numpy as np

from looped import Settings, compare, threads
from looped.experiments.compare.charts import error_chart
from looped.experiments.compare.lessons import COMPARE, OPENING
from looped.experiments.compare.stage import stage
from looped.experiments.compare.summary import summarise
from looped.lesson import by_key

SEEDS = range(31)
CASES = {
    "the first screen": Settings(**by_key(COMPARE)[OPENING].settings),
    "the defaults": Settings(),
    "n = 20, d = 10, T = 20": Settings(examples=20, loops=20),
    "the lesson on rounding": Settings(**by_key(COMPARE)["rounding"].settings),
    "the lesson on real data": Settings(**by_key(COMPARE)["real-data"].settings),
}


def cost(settings: Settings) -> float:
    """CPU milliseconds of all that the page computes for the settings."""
    began = time.process_time()
    result = compare(settings)
    summarise(result), error_chart(result), stage(result)
    return 1000 * (time.process_time() - began)


def main() -> None:
    """Print a line for each case."""
    threads.keep_to_one_thread()
    for name, settings in CASES.items():
        forms = [settings.replace(form=form) for form in ("state", "token")]
        for form in forms:
            cost(form)
        state, token = np.array([[cost(form.replace(seed=seed)) for form in forms] for seed in SEEDS]).T
        low, middle, high = np.quantile(token - state, [0.1, 0.5, 0.9])
        print(f"{name}: {np.median(state):.1f} ms, token form {middle:+.1f} ({low:+.1f} to {high:+.1f})")


if __name__ == "__main__":
    main()
