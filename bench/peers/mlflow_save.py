"""Save the stock model as MLflow does: `python mlflow_save.py MODEL CODE FOLDER`, in MLflow's own environment.

CODE is a Python file that travels with it. There is no signature: MLflow would check every request against it.
"""

import sys

import joblib
import mlflow.sklearn

model, code, folder = sys.argv[1:]
mlflow.sklearn.save_model(
    joblib.load(model),
    folder,
    serialization_format="cloudpickle",
    code_paths=[code],
    pip_requirements="requirements.txt",
)
