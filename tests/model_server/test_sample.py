"""What a sample adds to a model's description: the columns, the target, the types."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mldeploy_model.compiled.serving import prove_model
from mldeploy_model.formats import describe_model, load_predictor
from mldeploy_model.predictor import ModelLoadError
from mldeploy_model.schema import ModelDescription, ModelSchema

ROWS = 60


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"a": random.normal(size=ROWS), "b": random.normal(size=ROWS), "c": random.normal(size=ROWS)})
    return frame.assign(y=2 * frame.a - frame.b + 0.1 * frame.c)


@pytest.fixture
def inputs(table: pd.DataFrame) -> pd.DataFrame:
    return table[["a", "b", "c"]]


def describe(folder: Path, model: object, rows: pd.DataFrame) -> ModelDescription:
    joblib.dump(model, folder / "model.joblib")
    rows.to_csv(folder / "rows.csv", index=False)
    return describe_model(folder / "model.joblib", folder / "rows.csv")


def names(described: ModelDescription) -> list[str]:
    return [column.name for column in described.columns]


def test_a_sample_may_have_several_columns_that_the_model_does_not_take(
    table: pd.DataFrame, inputs: pd.DataFrame, tmp_path: Path
) -> None:
    rows = table.assign(customer=range(ROWS), note="x")
    described = describe(tmp_path, LinearRegression().fit(inputs, table.y), rows)
    assert (names(described), described.target) == (["a", "b", "c"], "prediction")
    assert list(described.sample[0]) == ["a", "b", "c"]


@pytest.mark.parametrize("named", [True, False])
def test_a_saved_index_is_not_the_target(
    named: bool, table: pd.DataFrame, inputs: pd.DataFrame, tmp_path: Path
) -> None:
    model = LinearRegression().fit(inputs if named else inputs.to_numpy(), table.y)
    rows = table.reset_index().rename(columns={"index": "Unnamed: 0"})
    described = describe(tmp_path, model, rows)
    assert (names(described), described.target) == (["a", "b", "c"], "y")


@pytest.mark.parametrize("order", ["yabc", "aybc", "abyc", "abcy"])
def test_the_target_of_a_model_without_names_is_the_column_that_it_predicts(
    order: str, table: pd.DataFrame, inputs: pd.DataFrame, tmp_path: Path
) -> None:
    forest = RandomForestRegressor(10, random_state=1).fit(inputs.to_numpy(), table.y)
    described = describe(tmp_path, forest, table[list(order)])
    assert (names(described), described.target) == (["a", "b", "c"], "y")


@pytest.mark.parametrize("classes", [("low", "high"), (0, 1), (False, True)])
def test_the_classes_of_a_sample_show_its_target(
    classes: tuple[object, object], table: pd.DataFrame, inputs: pd.DataFrame, tmp_path: Path
) -> None:
    kind = np.array(classes)[(table.y > 0).astype(int)]
    model = LogisticRegression().fit(inputs.to_numpy(), kind)
    rows = inputs.copy()
    rows.insert(1, "kind", kind)
    described = describe(tmp_path, model, rows)
    assert (names(described), described.target) == (["a", "b", "c"], "kind")


def test_a_target_whose_classes_were_encoded_is_the_column_that_is_no_input(
    table: pd.DataFrame, inputs: pd.DataFrame, tmp_path: Path
) -> None:
    model = LogisticRegression().fit(inputs.to_numpy(), (table.y > 0).astype(int))
    rows = inputs.copy()
    rows.insert(1, "mood", np.where(table.y > 0, "good", "bad"))
    described = describe(tmp_path, model, rows)
    assert (names(described), described.target) == (["a", "b", "c"], "mood")


def test_a_sample_with_one_row_has_its_target_last(table: pd.DataFrame, inputs: pd.DataFrame, tmp_path: Path) -> None:
    described = describe(tmp_path, LinearRegression().fit(inputs.to_numpy(), table.y), table.head(1))
    assert (names(described), described.target) == (["a", "b", "c"], "y")


@pytest.mark.parametrize("columns", [["review", "mood"], ["mood", "review"], ["review"]])
def test_a_model_that_takes_texts_gets_one_column_of_the_sample(columns: list[str], tmp_path: Path) -> None:
    rows = pd.DataFrame({"review": ["good, very good", "bad", "good", "so bad"] * 5, "mood": ["+", "-", "+", "-"] * 5})
    search = GridSearchCV(make_pipeline(TfidfVectorizer(), LogisticRegression()), {"logisticregression__C": [1]}, cv=2)
    described = describe(tmp_path, search.fit(rows.review, rows.mood), rows[columns])
    assert names(described) == ["review"]
    assert described.columns[0].type == "text"
    assert described.target == ("mood" if len(columns) > 1 else "prediction")
    schema = ModelSchema("model", "model.joblib", described.format, columns=described.columns)
    predictor = load_predictor(schema, tmp_path)
    assert predictor.predict({"review": ["very good", "so bad"]}, 2) == ["+", "-"]
    assert prove_model(search, schema).reason == "GridSearchCV: it takes a list of texts, not a table"


def test_a_model_that_takes_dicts_has_a_column_for_each_key(table: pd.DataFrame, tmp_path: Path) -> None:
    rows = table[["a", "y"]].assign(town=["Bonn", "Ulm"] * (ROWS // 2))
    records = rows[["a", "town"]].to_dict("records")
    model = make_pipeline(DictVectorizer(), LinearRegression()).fit(records, rows.y)
    described = describe(tmp_path, model, rows)
    facts = [(column.name, column.type, column.categories) for column in described.columns]
    assert facts == [("a", "number", ()), ("town", "category", ("Bonn", "Ulm"))]
    assert described.target == "y"
    schema = ModelSchema("model", "model.joblib", described.format, columns=described.columns)
    columns: dict[str, list[object]] = {"a": [1.5, None], "town": ["Ulm", "Bonn"]}
    expected = model.predict([{"a": 1.5, "town": "Ulm"}, {"town": "Bonn"}]).tolist()
    assert load_predictor(schema, tmp_path).predict(columns, 2) == expected
    assert prove_model(model, schema).reason == "Pipeline: it takes a list of dicts, not a table"


def test_a_model_beside_its_preprocessing_is_refused(tmp_path: Path) -> None:
    joblib.dump((StandardScaler(), LinearRegression()), tmp_path / "model.joblib")
    with pytest.raises(ModelLoadError, match=r"is a tuple of StandardScaler, LinearRegression\. Save one fitted model"):
        describe_model(tmp_path / "model.joblib")


def test_integers_beyond_64_bits_are_numbers(table: pd.DataFrame, inputs: pd.DataFrame, tmp_path: Path) -> None:
    rows = inputs.assign(id=np.arange(2**63, 2**63 + ROWS, dtype="uint64"))
    described = describe(tmp_path, LinearRegression().fit(rows, table.y), rows)
    assert [column.type for column in described.columns] == ["number"] * 4


def test_blanks_around_the_names_of_a_model_are_not_needed_in_a_sample(
    table: pd.DataFrame, inputs: pd.DataFrame, tmp_path: Path
) -> None:
    model = LinearRegression().fit(inputs.rename(columns={"b": " b", "c": " c "}), table.y)
    described = describe(tmp_path, model, table)
    assert (names(described), described.target) == (["a", " b", " c "], "y")
    assert described.sample[0][" b"] == table.b[0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_sample_is_read_as_spreadsheets_write_it(
    encoding: str, table: pd.DataFrame, inputs: pd.DataFrame, tmp_path: Path
) -> None:
    model = LinearRegression().fit(inputs, table.y)
    expected = describe(tmp_path, model, table)
    table.to_csv(tmp_path / "rows.csv", index=False, sep=";", decimal=",", encoding=encoding)
    assert describe_model(tmp_path / "model.joblib", tmp_path / "rows.csv") == expected


def test_a_sample_in_another_encoding_is_refused_with_the_command_that_mends_it(
    table: pd.DataFrame, inputs: pd.DataFrame, tmp_path: Path
) -> None:
    joblib.dump(LinearRegression().fit(inputs, table.y), tmp_path / "model.joblib")
    table.assign(town="Köln").to_csv(tmp_path / "rows.csv", index=False, encoding="cp1252")
    with pytest.raises(ModelLoadError, match='line 2; as Windows-1252 it reads "Köln"') as raised:
        describe_model(tmp_path / "model.joblib", tmp_path / "rows.csv")
    assert "iconv" in raised.value.remedy
