"""A folder with a model and no app: which model, which sample, which versions, and what is refused."""

from __future__ import annotations

import collections
import io
import json
import pickle
import zipfile
from pathlib import Path

import pytest

from mldeploy.core.errors import MldeployError
from mldeploy.project.errors import ProjectError
from mldeploy.project.load import load_project
from mldeploy.project.sample import SampleTable, load_sample
from mldeploy.project.served import propose_models
from tests.detect import trained

ROWS = "age,bmi,charges\n18,22.5,100\n64,30.1,900\n"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with a model and a sample."""
    trained.save(tmp_path / "model.pkl", "regression@1.5.2")
    (tmp_path / "rows.csv").write_text(ROWS)
    return tmp_path


def requirements(folder: Path) -> list[str]:
    text = load_project(folder).project.build.requirements_text or ""
    return [line for line in text.splitlines() if not line.startswith("#")]


def refusal(folder: Path) -> str:
    with pytest.raises(MldeployError) as caught:
        load_project(folder)
    return str(caught.value)


def test_a_model_and_a_sample_are_enough(bare: Path) -> None:
    checked = load_project(bare)
    (served,) = checked.project.served
    assert (served.path, served.sample) == ("model.pkl", "rows.csv")
    assert "model.path: model.pkl (there is no app, and this model)" in map(str, checked.assumed)
    assert not checked.remarks


def test_the_requirements_are_those_that_made_the_model(bare: Path) -> None:
    assert requirements(bare) == ["joblib", "numpy>=2", "pandas", "scikit-learn==1.5.2"]


def activate(
    environment: Path, monkeypatch: pytest.MonkeyPatch, versions: dict[str, str], python: str = "3.11"
) -> None:
    """Activate an environment with these distributions."""
    for name, version in versions.items():
        info = environment / f"lib/python{python}/site-packages/{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    monkeypatch.setenv("VIRTUAL_ENV", str(environment))


@pytest.mark.parametrize(
    ("python", "sklearn", "numpy"),
    [("3.11", "1.5.2", "numpy==2.0.2"), ("3.11", "1.5.1", "numpy>=2"), ("3.12", "1.5.2", "numpy>=2")],
)
def test_the_environment_that_made_the_model_pins_the_rest(
    bare: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, python: str, sklearn: str,
    numpy: str,
) -> None:  # fmt: skip
    versions = {"scikit-learn": sklearn, "numpy": "2.0.2"}
    activate(tmp_path_factory.mktemp("trained") / "venv", monkeypatch, versions, python)
    assert {"scikit-learn==1.5.2", numpy} <= set(requirements(bare))


def test_the_requirements_of_the_folder_count_first(bare: Path) -> None:
    (bare / "requirements.txt").write_text("scikit-learn==1.5.2\npandas==2.2.3\n")
    assert load_project(bare).project.build.requirements_text is None


def test_an_old_model_gets_a_python_that_has_its_library(bare: Path) -> None:
    trained.save(bare / "model.pkl", "regression@1.0.2")
    build = load_project(bare).project.build
    assert build.base_image == "python:3.10-slim-bookworm"
    assert {"scikit-learn==1.0.2"} <= set((build.requirements_text or "").splitlines())


def test_a_name_in_the_configuration_is_no_app(bare: Path) -> None:
    (bare / "mldeploy.toml").write_text('[app]\nname = "charges"\n')
    project = load_project(bare).project
    assert (project.app.name, project.served[0].path) == ("charges", "model.pkl")


def test_an_app_in_the_folder_is_served_as_before(bare: Path) -> None:
    (bare / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    project = load_project(bare).project
    assert (project.app.entry, project.served) == ("app:app", ())


def test_the_model_of_a_configuration_needs_no_detection(bare: Path) -> None:
    trained.save(bare / "other.pkl", "regression")
    (bare / "mldeploy.toml").write_text('[model]\npath = "other.pkl"\nsample = "rows.csv"\n')
    assert load_project(bare).project.served[0].path == "other.pkl"


def test_several_models_are_named_and_one_is_chosen(bare: Path) -> None:
    trained.save(bare / "older.pkl", "regression")
    assert "contains 2 models: model.pkl, older.pkl" in refusal(bare)
    proposal = propose_models(bare, ["older.pkl", "model.pkl"])
    assert [each["name"] for each in proposal.tables()] == ["older", "model"]


def test_without_a_sample_the_command_that_names_one_is_shown(bare: Path) -> None:
    (bare / "rows.csv").unlink()
    assert "there is no sample of its input" in refusal(bare)
    assert "mldeploy init model.pkl --sample rows.csv" in refusal(bare)


def test_two_samples_that_disagree_are_refused_with_the_difference(bare: Path) -> None:
    (bare / "test.csv").write_text("age,bmi\n18,22.5\n")
    assert 'rows.csv and test.csv disagree: only rows.csv has the column "charges"' in refusal(bare)
    assert propose_models(bare, ["model.pkl"], ["test.csv"]).samples == ("test.csv",)


def test_two_samples_with_the_same_columns_agree(bare: Path) -> None:
    (bare / "test.csv").write_text(ROWS)
    assert load_project(bare).project.served[0].sample == "rows.csv"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "contains no rows"),
        (b"age,bmi\n", "contains no rows"),
        (b"age,bmi\n1\n", "row 2 has 1 values for 2 columns"),
        (b"age,age\n1,2\n", 'has the column "age" twice'),
        (b"1.5,2\n3,4\n", "has no line with the names of its columns"),
        (b"age,bmi\n\xff\xfe,1\n", "is not UTF-8 text (line 2"),
        ("age,town\n18,Köln\n".encode("cp1252"), 'as Windows-1252 it reads "Köln"'),
        (b"\0\1\2\3", "is no CSV file"),
        (b"PK\x03\x04rows", "is no CSV file"),
    ],
)
def test_a_sample_that_is_no_table_is_refused(bare: Path, content: bytes, message: str) -> None:
    (bare / "rows.csv").write_bytes(content)
    assert message in refusal(bare)


@pytest.mark.parametrize(
    "content",
    [
        b"age;bmi\n18;22,5\n64;\n",
        "age;bmi\r\n18;22,5\r\n64;\r\n".encode("utf-16"),
        b"\xef\xbb\xbfage,bmi\n18,22.5\n64,\n",
        b",age,bmi\n0,18,22.5\n1,64,\n",
        b"age\tbmi\n18\t22.5\n64\t\n",
    ],
)
def test_a_sample_is_read_as_spreadsheets_and_pandas_write_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    assert load_sample(tmp_path, "rows.csv") == SampleTable(("age", "bmi"), (("18", "22.5"), ("64", "")))


def test_a_comma_stays_in_a_text_and_where_it_separates_thousands(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("size;city\n1,5;a, b\n2;3,5\n")
    assert load_sample(tmp_path, "rows.csv").rows == (("1.5", "a, b"), ("2", "3,5"))
    (tmp_path / "rows.csv").write_text('size,city\n"1,500",Bonn\n')
    assert load_sample(tmp_path, "rows.csv").rows == (("1,500", "Bonn"),)


def test_a_name_with_blanks_around_it_is_found(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("age, bmi\n18, 22.5\n")
    sample = load_sample(tmp_path, "rows.csv")
    assert sample.typed_rows({" bmi": "number", "sex": "text"}, 1) == (((" bmi", 22.5),),)


def test_the_numbers_that_pandas_gives_the_columns_of_an_array_are_names(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("0,1,2\n5.1,3.5,1.4\n")
    assert load_sample(tmp_path, "rows.csv").columns == ("0", "1", "2")


UBJSON = b"{L\0\0\0\0\0\0\0\7learner{}L\0\0\0\0\0\0\0\7version[#L\0\0\0\0\0\0\0\3i\2i\1i\4}"
"""As XGBoost writes it."""


def state_dict() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("weights/data.pkl", pickle.dumps(collections.OrderedDict(bias=1.0)))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.pt", state_dict(), "holds only the weights of a PyTorch model (a state dict)"),
        ("model.joblib", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("model.joblib", b"<!DOCTYPE html><title>404</title>", "is a web page, not a model"),
        ("model.joblib", b"nothing", "is no model"),
        ("model.pkl", b"", "is empty"),
        ("model.pkl", trained.FILES["malicious"](), "calls `posix.system` when it is loaded"),
        ("model.pkl", trained.FILES["of_main"](), "refers to `ClipOutliers99` of the script that saved it"),
        ("model.gguf", b"GGUF" * 10, "is a language model for llama.cpp"),
    ],
)
def test_what_is_no_model_is_refused_with_what_is_missing(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "rows.csv").write_text(ROWS)
    assert message in refusal(tmp_path)


@pytest.mark.parametrize(
    "recipe", ["classifier", "classifier+none", "classifier+zlib", "classifier+gzip", "classifier+bz2"]
)
def test_a_file_that_is_cut_off_is_refused_before_the_build(tmp_path: Path, recipe: str) -> None:
    path = tmp_path / ("model.joblib" if "+" in recipe else "model.pkl")
    (tmp_path / "rows.csv").write_text(ROWS)
    trained.save(path, recipe)
    load_project(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "ends too early: the file is not complete" in refusal(tmp_path)


def test_a_compressed_file_that_is_damaged_is_refused_before_the_build(bare: Path) -> None:
    (bare / "model.pkl").unlink()
    trained.save(bare / "model.joblib", "classifier+zlib")
    content = bytearray((bare / "model.joblib").read_bytes())
    content[100:140] = bytes(40)
    (bare / "model.joblib").write_bytes(content)
    assert "is damaged: its compressed content cannot be read" in refusal(bare)


def test_a_model_that_does_not_fit_into_the_memory_is_refused_before_the_build(bare: Path) -> None:
    with (bare / "model.pkl").open("ab") as file:
        file.truncate(4 << 30)  # a hole: it takes no place on the disk
    (bare / "mldeploy.toml").write_text('[app]\nmemory = "2g"\n[model]\npath = "model.pkl"\nsample = "rows.csv"\n')
    assert "app.memory: model.pkl has 4 GiB, and the app may use 2 GiB" in refusal(bare)
    assert 'memory = "11g"' in refusal(bare)


def test_a_large_model_gets_its_memory(bare: Path) -> None:
    with (bare / "model.pkl").open("ab") as file:
        file.truncate(1 << 30)
    assert load_project(bare).project.app.memory == 3 << 30


@pytest.mark.parametrize("key", ['entry = "app:app"', 'command = ["x"]', 'predict = "/p"', 'health_by = "server"'])
def test_a_model_without_an_app_has_no_settings_of_an_app(bare: Path, key: str) -> None:
    (bare / "mldeploy.toml").write_text(f'[app]\n{key}\n[model]\npath = "model.pkl"\nsample = "rows.csv"\n')
    assert f"app.{key.partition(' ')[0]}: does not apply to a model that is served without an app" in refusal(bare)


def test_a_missing_model_or_sample_of_the_configuration_is_named(bare: Path) -> None:
    (bare / "mldeploy.toml").write_text('[model]\npath = "absent.pkl"\nsample = "rows.csv"\n')
    assert "absent.pkl: there is no such file" in refusal(bare)
    (bare / "mldeploy.toml").write_text('[model]\npath = "model.pkl"\nsample = "row.csv"\n')
    assert "row.csv: there is no such file" in refusal(bare)


def test_an_mlflow_folder_brings_its_requirements_and_its_python(tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function:\n    python_version: 3.12.4\n"
        "  sklearn:\n    pickled_model: model.pkl\n    sklearn_version: 1.5.2\n"
    )
    (folder / "requirements.txt").write_text("mlflow==2.19.0\nnumpy==2.1.3\nscikit-learn==1.5.2\n")
    trained.save(folder / "model.pkl", "regression@1.5.2")
    project = load_project(tmp_path).project
    assert (project.served[0].path, project.served[0].sample) == ("exported", None)
    assert project.build.base_image == "python:3.12-slim-bookworm"
    assert requirements(tmp_path) == ["joblib", "numpy==2.1.3", "pandas", "pyyaml", "scikit-learn==1.5.2"]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("model.json", json.dumps({"learner": {}, "version": [2, 1, 3]}).encode(), "xgboost==2.1.3"),
        ("model.ubj", UBJSON, "xgboost==2.1.4"),
        ("model.txt", b"tree\nversion=v4\nnum_class=1\n", "lightgbm"),
        ("model.cbm", b"CBM1" + b"\0" * 40, "catboost"),
    ],
)
def test_other_formats_bring_their_library(tmp_path: Path, name: str, content: bytes, line: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "rows.csv").write_text(ROWS)
    assert line in [each.partition("==")[0] if "==" not in line else each for each in requirements(tmp_path)]


def test_an_unknown_module_of_a_pickle_is_not_installed_by_its_name(bare: Path) -> None:
    (bare / "model.pkl").write_bytes(b"\x80\x04\x8c\x05steps\x8c\x03Log\x93)\x81.")
    assert "needs the module steps, which is not in the folder and of no known library" in refusal(bare)
    (bare / "steps.py").write_text("class Log: ...\n")
    assert "steps" not in requirements(bare)


def test_lightgbm_brings_the_system_library_that_it_needs(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_bytes(b"tree\nversion=v4\n")
    (tmp_path / "rows.csv").write_text(ROWS)
    assert load_project(tmp_path).project.build.system_packages == ("libgomp1",)


def test_a_path_outside_of_the_folder_is_no_model(bare: Path) -> None:
    with pytest.raises(ProjectError, match="there is no such file"):
        propose_models(bare, ["../model.pkl"])
