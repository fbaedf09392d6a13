"""Python distributions: names of imports, known dependencies, installed versions, and required Debian packages."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name
from packaging.version import Version

from mldeploy.project.detect.dependencies.dependency import (
    DependencyList,
    marker_applies,
    parse_version,
    target_environment,
)
from mldeploy.project.detect.documents import load_json
from mldeploy.project.detect.findings import Detected

DISTRIBUTION_NAMES: Final = {
    "attr": "attrs", "Bio": "biopython", "bs4": "beautifulsoup4", "community": "python-louvain",
    "Crypto": "pycryptodome", "Cryptodome": "pycryptodomex", "cv2": "opencv-python-headless",
    "dash_bootstrap_components": "dash-bootstrap-components", "dateutil": "python-dateutil",
    "decouple": "python-decouple", "docx": "python-docx", "dotenv": "python-dotenv", "environ": "django-environ",
    "faiss": "faiss-cpu", "ffmpeg": "ffmpeg-python", "fitz": "pymupdf", "flask_cors": "flask-cors",
    "git": "gitpython", "haystack": "haystack-ai", "imblearn": "imbalanced-learn", "jose": "python-jose",
    "jwt": "pyjwt", "kafka": "kafka-python", "keras_nlp": "keras-nlp", "Levenshtein": "python-levenshtein",
    "llama_cpp": "llama-cpp-python", "magic": "python-magic", "mpl_toolkits": "matplotlib",
    "multipart": "python-multipart", "mysql": "mysql-connector-python", "MySQLdb": "mysqlclient",
    "OpenSSL": "pyopenssl", "PIL": "pillow",
    "pkg_resources": "setuptools", "pptx": "python-pptx", "prometheus_client": "prometheus-client",
    "psycopg2": "psycopg2-binary", "pydantic_settings": "pydantic-settings", "pylab": "matplotlib",
    "rest_framework": "djangorestframework", "sentence_transformers": "sentence-transformers", "serial": "pyserial",
    "skimage": "scikit-image", "sklearn": "scikit-learn", "skopt": "scikit-optimize", "slugify": "python-slugify",
    "socketio": "python-socketio", "speech_recognition": "speechrecognition", "sksurv": "scikit-survival",
    "surprise": "scikit-surprise", "tensorflow_hub": "tensorflow-hub", "telegram": "python-telegram-bot",
    "tf_keras": "tf-keras", "umap": "umap-learn", "usb": "pyusb", "whisper": "openai-whisper", "win32api": "pywin32",
    "wx": "wxpython", "yaml": "pyyaml", "zmq": "pyzmq",
    "barcode": "python-barcode", "bson": "pymongo", "cairo": "pycairo", "dns": "dnspython", "gi": "pygobject",
    "gridfs": "pymongo", "hydra": "hydra-core", "ldap": "python-ldap", "MeCab": "mecab-python3",
    "memcache": "python-memcached", "nacl": "pynacl", "nmap": "python-nmap", "OpenGL": "pyopengl", "osgeo": "gdal",
    "ruamel": "ruamel-yaml", "shapefile": "pyshp", "snowflake": "snowflake-connector-python", "socks": "pysocks",
    "talib": "ta-lib", "win32com": "pywin32", "Xlib": "python-xlib",
}  # fmt: skip
"""Top-level imports whose distribution has another name (or must be distinguished from a namesake)."""

LIMITS: Final = {"pkg_resources": ("setuptools", "<82")}
"""Imports that a distribution provided once, with its versions that do: setuptools.pypa.io/en/latest/history.html"""

INSTALLS: Final = {
    "apiflask": "flask marshmallow",
    "catboost": "numpy pandas scipy matplotlib plotly",
    "category-encoders": "numpy pandas scikit-learn scipy statsmodels",
    "connexion": "flask pyyaml requests werkzeug",
    "cvzone": "opencv-python numpy",
    "deepface": "opencv-python numpy pandas tensorflow keras pillow requests tqdm",
    "imgaug": "opencv-python numpy scikit-image",
    "mediapipe": "opencv-contrib-python numpy protobuf",
    "ultralytics": "opencv-python numpy pandas torch torchvision pillow pyyaml requests matplotlib scipy tqdm",
    "dash": "flask plotly werkzeug requests",
    "django": "asgiref sqlparse",
    "fastapi": "pydantic starlette typing-extensions anyio",
    "flask": "werkzeug jinja2 markupsafe click itsdangerous blinker",
    "flask-cors": "flask werkzeug",
    "flask-restful": "flask werkzeug",
    "flask-restx": "flask werkzeug",
    "flask-sqlalchemy": "flask sqlalchemy werkzeug",
    "flask-wtf": "flask wtforms",
    "gradio": "fastapi starlette uvicorn numpy pandas pillow pydantic httpx requests huggingface-hub",
    "imbalanced-learn": "scikit-learn numpy scipy joblib",
    "keras": "numpy h5py",
    "lightgbm": "numpy scipy",
    "matplotlib": "numpy pillow",
    "mlflow": "flask numpy pandas scikit-learn scipy pyarrow pyyaml requests cloudpickle sqlalchemy",
    "onnxruntime": "numpy",
    "opencv-python": "numpy",
    "opencv-python-headless": "numpy",
    "pandas": "numpy python-dateutil pytz",
    "pycaret": "scikit-learn numpy pandas scipy joblib matplotlib lightgbm imbalanced-learn category-encoders plotly",
    "requests": "urllib3 certifi idna",
    "scikit-image": "numpy scipy pillow imageio",
    "scikit-learn": "numpy scipy joblib threadpoolctl",
    "scipy": "numpy",
    "seaborn": "numpy pandas matplotlib",
    "sentence-transformers": "torch transformers numpy scikit-learn scipy huggingface-hub pillow",
    "shap": "numpy pandas scikit-learn scipy numba",
    "spacy": "numpy pydantic requests thinc",
    "statsmodels": "numpy pandas scipy patsy",
    "streamlit": "numpy pandas pillow requests altair pyarrow protobuf tornado",
    "tensorflow": "numpy keras h5py protobuf",
    "tensorflow-cpu": "tensorflow numpy keras h5py protobuf",
    "torch": "typing-extensions jinja2 networkx sympy filelock fsspec",
    "torchvision": "torch numpy pillow",
    "transformers": "numpy pyyaml requests tokenizers huggingface-hub safetensors tqdm",
    "xgboost": "numpy scipy",
}
"""Distributions that may be imported without being listed, since what is listed always installs them."""

EQUIVALENT: Final = {
    "opencv-python": "opencv-python-headless", "opencv-contrib-python": "opencv-python-headless",
    "opencv-contrib-python-headless": "opencv-python-headless", "psycopg2": "psycopg2-binary",
    "tensorflow-cpu": "tensorflow", "tensorflow-gpu": "tensorflow", "onnxruntime-gpu": "onnxruntime",
    "tf-keras": "keras", "pydantic-core": "pydantic", "xgboost-cpu": "xgboost",
    "faiss-gpu": "faiss-cpu", "scikit-learn-intelex": "scikit-learn",
}  # fmt: skip
"""Distributions that provide the same import as another one."""

NOT_ON_LINUX: Final = frozenset({
    "pywin32", "pypiwin32", "pywinpty", "pywin32-ctypes", "wincertstore", "win-inet-pton", "windows-curses",
    "comtypes", "pyreadline", "appnope", "pyobjc", "pyobjc-core", "tensorflow-macos", "tensorflow-metal",
    "tensorflow-intel",
})  # fmt: skip
"""Distributions of Windows and macOS alone, which a frozen list brings along."""

MISNAMED: Final = {
    "sklearn": "scikit-learn", "cv2": "opencv-python-headless", "pil": "pillow", "yaml": "pyyaml",
    "dotenv": "python-dotenv", "skimage": "scikit-image", "opencv": "opencv-python-headless", "pytorch": "torch",
    "beautifulsoup": "beautifulsoup4",
}  # fmt: skip
"""Names of imports and of conda's packages that stand in requirements by mistake."""


def distribution_of(module: str) -> str:
    """The distribution that provides a top-level import: by common knowledge, else one of the same name."""
    return canonicalize_name(DISTRIBUTION_NAMES.get(module, module))


_BELOW_NAMESPACES: Final = {
    "google.cloud.aiplatform": "google-cloud-aiplatform", "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.storage": "google-cloud-storage", "google.cloud": "", "google.api_core": "google-api-core",
    "google.auth": "google-auth", "google.genai": "google-genai", "google.generativeai": "google-generativeai",
    "google.oauth2": "google-auth", "google.protobuf": "protobuf", "google": "", "azure.identity": "azure-identity",
    "azure.storage.blob": "azure-storage-blob", "azure.storage": "", "azure": "", "ruamel.yaml": "ruamel-yaml",
    "ruamel": "ruamel-yaml", "zope": "", "jaraco": "", "backports": "", "sphinxcontrib": "",
    "opentelemetry.sdk": "opentelemetry-sdk", "opentelemetry": "opentelemetry-api",
}  # fmt: skip
"""Modules below a name that several distributions share. "": it does not say which."""


def is_namespace(module: str) -> bool:
    """Whether several distributions provide modules below a top-level name."""
    return module in {"azure", "google", "ruamel", "zope", "jaraco", "backports", "sphinxcontrib", "opentelemetry"}


def distribution_of_module(module: str) -> str:
    """The distribution that provides a module, by its whole name; "" if the name does not say."""
    parts = module.split(".")
    if not is_namespace(parts[0]):
        return distribution_of(parts[0])
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in _BELOW_NAMESPACES:
            known = _BELOW_NAMESPACES[name]
            return known or (canonicalize_name("-".join(parts[: length + 1])) if length < len(parts) else "")
    return canonicalize_name("-".join(parts[:2]))


def is_known_import(module: str) -> bool:
    """Whether a top-level name is that of a well-known package."""
    name = distribution_of(module)
    return module in DISTRIBUTION_NAMES or name in INSTALLS or name in _DEPENDENCIES


_DEPENDENCIES: Final = frozenset(" ".join(INSTALLS.values()).split()) | {
    "aiohttp", "boto3", "bottle", "celery", "cherrypy", "docker", "falcon", "flask-login", "gevent", "gunicorn",
    "hypercorn", "langchain", "litestar", "openai", "peewee", "pymongo", "pytest", "quart", "redis", "sanic",
    "selenium", "starlette", "tensorboard", "textblob", "ultralytics", "uvicorn", "waitress", "wtforms",
}  # fmt: skip


def with_dependencies(names: set[str]) -> set[str]:
    """These distributions, what they always install, and what provides the same."""
    names_with_dependencies = set(names)
    queue = list(names_with_dependencies)
    for name in queue:
        for below in (*INSTALLS.get(name, "").split(), *EQUIVALENT.get(name, "").split()):
            if below not in names_with_dependencies:
                names_with_dependencies.add(below)
                queue.append(below)
    return names_with_dependencies


_OPENCV = ("libgl1", "libglib2.0-0", "libsm6", "libxext6")
_NEEDS: Final = {
    "cvzone": _OPENCV,
    "deepface": _OPENCV,
    "ffmpeg-python": ("ffmpeg",),
    "gitpython": ("git",),
    "graphviz": ("graphviz",),
    "h2o": ("default-jre-headless",),
    "imgaug": _OPENCV,
    "insightface": _OPENCV,
    "mediapipe": _OPENCV,
    "moviepy": ("ffmpeg",),
    "openai-whisper": ("ffmpeg",),
    "paddleocr": (*_OPENCV, "libgomp1"),
    "pdf2image": ("poppler-utils",),
    "pdfkit": ("wkhtmltopdf",),
    "pyaudio": ("libportaudio2",),
    "pydub": ("ffmpeg",),
    "pypandoc": ("pandoc",),
    "pyspark": ("default-jre-headless",),
    "pytesseract": ("tesseract-ocr",),
    "retina-face": _OPENCV,
    "sounddevice": ("libportaudio2",),
    "tabula-py": ("default-jre-headless",),
    "ultralytics": _OPENCV,
    "lightgbm": ("libgomp1",),
    "opencv-contrib-python": _OPENCV,
    "opencv-python": _OPENCV,
    "pycaret": ("libgomp1",),  # through lightgbm
    "python-magic": ("libmagic1",),
    "pyzbar": ("libzbar0",),
}
"""Debian's packages (names as in Debian 12) by the distribution whose import looks for them."""


def debian_packages(listed: DependencyList | None, python: str) -> Detected[tuple[str, ...]] | None:
    """The Debian packages that the dependencies want, sorted; they stand where the first that wants one does."""
    image = target_environment(python)
    dependencies = listed.dependencies if listed else ()
    requiring = [each for each in dependencies if each.name in _NEEDS and marker_applies(each.marker, image)]
    names = tuple(sorted({name for each in requiring for name in _NEEDS[each.name]}))
    return Detected(names, requiring[0].source) if requiring else None


@dataclass(frozen=True)
class InstalledDistributions:
    """Site folders, in the order in which Python searches them. They are only read."""

    paths: tuple[str, ...]

    @classmethod
    def activated(cls) -> InstalledDistributions:
        """The environment that is activated in the shell; empty if there is none, or if it is mldeploy's own.

        What mldeploy brings along says nothing of what the app was written for.
        """
        root = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX") or ""
        if not root or Path(root).resolve() == Path(sys.prefix).resolve():
            return cls(())
        return cls.inside(Path(root).parent, [glob.escape(Path(root).name)]) or cls(())

    @classmethod
    def inside(cls, root: Path, names: Iterable[str]) -> InstalledDistributions | None:
        """The first virtual environment among the folder's own, if it has one."""
        for name in names:
            sites = [*root.glob(f"{name}/lib/python3*/site-packages"), *root.glob(f"{name}/Lib/site-packages")]
            if sites:
                return cls(tuple(str(site) for site in sorted(sites)))
        return None

    @cached_property
    def versions(self) -> Mapping[str, Version]:
        """The version of each distribution, by its normalized name."""
        return {name: known for name, each in self._distributions.items() if (known := parse_version(each.version))}

    def version(self, name: str) -> Version | None:
        """Return the version of one distribution, None if it is not installed. Reads no other one."""
        for each in Distribution.discover(name=name, path=list(self.paths)):
            return parse_version(each.version or "")
        return None

    def direct_url(self, name: str) -> dict[str, object]:
        """Where a distribution was installed from, if that was no index (PEP 610, direct_url.json); else empty."""
        distribution = self._distributions.get(canonicalize_name(name))
        return load_json(distribution.read_text("direct_url.json") or "") if distribution else {}

    @cached_property
    def providers(self) -> Mapping[str, tuple[str, ...]]:
        """The distributions that provide each top-level import."""
        modules: dict[str, list[str]] = {}
        for name, each in self._distributions.items():
            for module in _top_level(each):
                modules.setdefault(module, []).append(name)
        return {module: tuple(sorted(names)) for module, names in modules.items()}

    @cached_property
    def _distributions(self) -> dict[str, Distribution]:
        by_name: dict[str, Distribution] = {}
        for each in distributions(path=list(self.paths)):
            name = each.metadata["Name"] if each.metadata else None
            if name:
                by_name.setdefault(canonicalize_name(name), each)
        return by_name


def _top_level(distribution: Distribution) -> set[str]:
    """As `importlib.metadata.packages_distributions`, which can only look at the interpreter's own search path."""
    declared = (distribution.read_text("top_level.txt") or "").split()
    files = () if declared else distribution.files or ()
    names = {
        file.parts[0].partition(".")[0]
        for file in files
        if file.suffix in {".py", ".so", ".pyd"} or len(file.parts) > 1
    }
    return set(declared) or {name for name in names if name.isidentifier()}
