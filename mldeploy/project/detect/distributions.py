"""What is common knowledge of Python distributions: whose import is called otherwise, and who brings whom along."""

from __future__ import annotations

from typing import Final

from packaging.utils import canonicalize_name

OF_IMPORT: Final = {
    "attr": "attrs", "bs4": "beautifulsoup4", "Crypto": "pycryptodome", "cv2": "opencv-python-headless",
    "dash_bootstrap_components": "dash-bootstrap-components", "dateutil": "python-dateutil",
    "decouple": "python-decouple", "docx": "python-docx", "dotenv": "python-dotenv", "fitz": "pymupdf",
    "git": "gitpython", "imblearn": "imbalanced-learn", "jose": "python-jose", "jwt": "pyjwt",
    "magic": "python-magic", "mpl_toolkits": "matplotlib", "multipart": "python-multipart",
    "mysql": "mysql-connector-python", "MySQLdb": "mysqlclient", "OpenSSL": "pyopenssl", "PIL": "pillow",
    "pkg_resources": "setuptools", "pptx": "python-pptx", "psycopg2": "psycopg2-binary",
    "rest_framework": "djangorestframework", "serial": "pyserial", "skimage": "scikit-image",
    "sklearn": "scikit-learn", "skopt": "scikit-optimize", "slugify": "python-slugify", "socketio": "python-socketio",
    "telegram": "python-telegram-bot", "umap": "umap-learn", "usb": "pyusb", "wx": "wxpython", "yaml": "pyyaml",
    "zmq": "pyzmq",
}  # fmt: skip
"""Top-level imports whose distribution has another name (or one that has to be told apart from a namesake)."""

BRINGS: Final = {
    "apiflask": "flask marshmallow",
    "catboost": "numpy pandas scipy matplotlib plotly",
    "category-encoders": "numpy pandas scikit-learn scipy statsmodels",
    "connexion": "flask pyyaml requests werkzeug",
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

SAME: Final = {
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


def of_import(module: str) -> str:
    """The distribution that provides a top-level import: by common knowledge, else one of the same name."""
    return canonicalize_name(OF_IMPORT.get(module, module))


def closed(names: set[str]) -> set[str]:
    """These distributions, what they always install, and what provides the same."""
    found = set(names)
    queue = list(found)
    for name in queue:
        for below in (*BRINGS.get(name, "").split(), *SAME.get(name, "").split()):
            if below not in found:
                found.add(below)
                queue.append(below)
    return found
