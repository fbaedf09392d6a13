"""Put a model file into BentoML's store: `python bentoml_store.py FILE`, in BentoML's own environment."""

import shutil
import sys

import bentoml

with bentoml.models.create("stock") as kept:
    shutil.copy(sys.argv[1], kept.path_of("model.joblib"))
