"""The curves that come with the package, trained again: `python -m looped.experiments.gpt2.stored`."""

from collections.abc import Iterator

from looped.experiments.gpt2.curves import Curve
from looped.experiments.gpt2.settings import GPT2Settings
from looped.experiments.gpt2.training import GPT2Trainer
from looped.files import utf8, write
from looped.provenance import STORED, asked
from looped.sweeps.workers import every


def trained(settings: GPT2Settings) -> Iterator[bytes | None]:
    """The curve.json of a training on the processor."""
    trainer = GPT2Trainer(settings)
    for _ in trainer.run():
        yield None
    yield utf8(Curve.of(trainer).to_json())


def main() -> None:
    """Train with the settings of every file again, and write all files into the package's folder."""
    asked("python -m looped.experiments.gpt2.stored", main.__doc__)
    files = sorted(STORED.glob("gpt2-*.json"))
    wanted = {path.name: Curve.from_json(path.read_text(encoding="utf-8")).settings for path in files}
    write(every(trained, wanted), STORED)


if __name__ == "__main__":
    main()
