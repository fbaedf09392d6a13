"""The trained model: load it, ask it, and say what drove an answer."""

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import joblib
import pandas as pd
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from schema import NAMES, Row, Table, Value


class ModelError(Exception):
    """The model file cannot be used; the text says what to do."""


@dataclass(frozen=True)
class Metrics:
    """How well the model did on people whom it had not seen; errors in dollars a year, the baseline's beside them.

    The baseline answers everybody with the mean charge.
    """

    people: int
    r2: float
    mae: float
    rmse: float
    baseline_mae: float
    baseline_rmse: float


@dataclass(frozen=True)
class Metadata:
    """What the model file tells about its pipeline.

    `ranges` holds the least and the greatest of each number in the training data; `typical` the median of each number
    and the commonest of each choice.
    """

    data: str
    seed: int
    versions: dict[str, str]
    metrics: Metrics
    ranges: dict[str, tuple[float, float]]
    typical: dict[str, Value]


@dataclass(frozen=True)
class Effect:
    """What one answer adds to the charge (or takes off it), compared with the `typical` answer to the same question."""

    field: str
    value: Value
    typical: Value
    dollars: float


@dataclass(frozen=True)
class Explanation:
    """A charge in dollars a year, and the effect of each answer, the largest first."""

    charge: float
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class ChargeModel:
    """A fitted pipeline and what is known of it. Nothing changes it, so threads and forked processes may share it."""

    pipeline: Pipeline
    metadata: Metadata

    @classmethod
    def load(cls, path: Path) -> "ChargeModel":
        """Load the file that train.py wrote; raises ModelError if it is missing or was made by other library versions.

        The file is a pickle: loading runs what is in it. Load none that you have not made.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", InconsistentVersionWarning)
                saved = joblib.load(path)
            metadata = Metadata(**{**saved["metadata"], "metrics": Metrics(**saved["metadata"]["metrics"])})
            model = cls(saved["pipeline"], metadata)
            model.typical_charge()  # a model that fails must not start serving, and the first prediction is slow
        except FileNotFoundError as error:
            raise ModelError(f"{path} does not exist: make it with `python train.py`") from error
        except Exception as error:  # a pickle made elsewhere can fail with anything
            reason = str(error).partition("\n")[0]
            advice = "install the versions pinned in requirements.txt, or train again with `python train.py`"
            raise ModelError(f"{path} does not load ({type(error).__name__}: {reason}): {advice}") from error
        return model

    def save(self, path: Path) -> None:
        """Write the file that `load` reads: the pipeline and plain values, nothing that needs this module to unpickle.

        A reader never sees half a file.
        """
        unfinished = path.with_suffix(".unfinished")
        joblib.dump({"pipeline": self.pipeline, "metadata": asdict(self.metadata)}, unfinished)
        unfinished.replace(path)

    def predict(self, table: Table) -> list[float]:
        """Return the charge of each row of a checked table, in dollars a year to the cent."""
        frame = pd.DataFrame({name: table[name] for name in NAMES})
        charges: list[float] = self.pipeline.predict(frame).round(2).tolist()
        return charges

    def predict_one(self, row: Row) -> float:
        """As `predict`, for one checked row."""
        return self.predict({name: [value] for name, value in row.items()})[0]

    def typical_charge(self) -> float:
        """Return the charge of somebody who gives the typical answer to every question."""
        return self.predict_one(self.metadata.typical)

    def explain(self, row: Row) -> Explanation:
        """Predict one checked row, and again with each answer in turn set to the typical one, the others left alone.

        The effects do not add up to the charge: answers act together (smoking costs more at a high body mass index).
        """
        typical = self.metadata.typical
        variants = [row, *({**row, name: typical[name]} for name in NAMES)]
        charge, *others = self.predict({name: [variant[name] for variant in variants] for name in NAMES})
        effects = [
            Effect(name, row[name], typical[name], charge - other) for name, other in zip(NAMES, others, strict=True)
        ]
        return Explanation(charge, tuple(sorted(effects, key=lambda effect: abs(effect.dollars), reverse=True)))

    def unfamiliar(self, row: Row) -> tuple[str, ...]:
        """Name the numbers of a checked row that lie outside what the model was trained on."""
        ranges = self.metadata.ranges
        return tuple(name for name, (low, high) in ranges.items() if not low <= float(row[name]) <= high)
