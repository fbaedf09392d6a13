"""The sources of apps with routes, and what `init` detects in them."""

from __future__ import annotations

from pathlib import Path

from mldeploy.project.detect.folder import DetectedFolder, detect_folder
from tests.detect.folders import write

HEALTH = "\n\n@{owner}.get('{path}')\ndef alive():\n    return 'ok'\n"
PREDICT = "\n\n@{owner}.post('{path}')\ndef answer(row: dict):\n    return {{'prediction': 1}}\n"
FLASK_PREDICT = "\n\n@{owner}.post('{path}')\ndef answer():\n    return {{'n': len(request.get_json())}}\n"
FASTAPI = "from fastapi import APIRouter, FastAPI\n"
FLASK = "from flask import Blueprint, Flask, request\n"


def health(owner: str, path: str = "/health") -> str:
    return HEALTH.format(owner=owner, path=path)


def predict(owner: str, path: str = "/predict") -> str:
    return PREDICT.format(owner=owner, path=path)


def detected(root: Path, files: dict[str, str]) -> DetectedFolder:
    for path, text in files.items():
        write(root / path, text.encode())
    return detect_folder(root)
