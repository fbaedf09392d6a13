"""A Hugging Face model folder, served as a text classification pipeline; nothing is fetched from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mldeploy_model.formats.per_process import PerProcessPredictor
from mldeploy_model.formats.registry import library_version, translate_errors
from mldeploy_model.predictor import ModelLoadError, Predictor
from mldeploy_model.schema import Column, ModelDescription, ModelSchema

_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json")
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "sentencepiece.bpe.model",
)
_SERVED = "ForSequenceClassification"


def open_file(path: Path, _name: str) -> HuggingFaceModel:
    return HuggingFaceModel(path)


class HuggingFaceModel:
    """The folder; the pipeline is made once it is to predict."""

    def __init__(self, path: Path) -> None:
        try:
            self.config: Mapping[str, Any] = json.loads((path / "config.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelLoadError(f"{path.name}/config.json is not JSON: {error}", "Save the model again") from None
        self.path = path
        architectures = [str(name) for name in self.config.get("architectures") or ()]
        if not any(name.endswith(_SERVED) for name in architectures):
            what = f"{path.name} has the architecture {', '.join(architectures) or 'that its config does not name'}"
            raise ModelLoadError(what, f"Served are text classifications: …{_SERVED}")
        self._require(_WEIGHTS, "weights", "model.save_pretrained(path)")
        self._require(_TOKENIZERS, "tokenizer", "tokenizer.save_pretrained(path)")

    def _require(self, names: Sequence[str], what: str, remedy: str) -> None:
        if not any((self.path / name).is_file() for name in names):
            raise ModelLoadError(f"{self.path.name} has no {what} ({', '.join(names)})", f"Save it there: {remedy}")

    @property
    def classes(self) -> tuple[str, ...]:
        labels: Mapping[str, str] = self.config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
        return tuple(str(labels[key]) for key in sorted(labels, key=int))

    def describe(self) -> ModelDescription:
        versions = {name: library_version(name) for name in ("transformers", "torch", "safetensors")}
        return ModelDescription(
            format="huggingface",
            task="classification",
            columns=(Column("text", "text"),),
            classes=self.classes,
            probabilities=True,
            target="label",
            library="transformers",
            library_version=str(self.config.get("transformers_version") or versions["transformers"]),
            requirements=tuple(f"{name}=={version.partition('+')[0]}" for name, version in versions.items() if version),
        )

    def predictor(self, schema: ModelSchema) -> Predictor:
        with translate_errors(self.path, "transformers"):
            return PerProcessPredictor(TextPredictor(self.path), lambda: TextPredictor(self.path))


class TextPredictor:
    """The label with the highest score."""

    def __init__(self, path: Path) -> None:
        from transformers import pipeline

        self.pipeline = pipeline("text-classification", model=str(path), tokenizer=str(path), top_k=None, device=-1)

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        return [max(row, key=row.__getitem__) for row in self._scores(columns)]

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        return self._scores(columns)

    def _scores(self, columns: Mapping[str, Sequence[object]]) -> list[dict[str, float]]:
        (texts,) = columns.values()
        results = self.pipeline(list(texts), truncation=True)
        return [{str(each["label"]): float(each["score"]) for each in row} for row in results]
