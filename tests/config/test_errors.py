"""What a user reads when a configuration is wrong: the place, what it must be, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, model_validator

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import load, target_settings
from mldeploy.config.override import Override
from mldeploy.config.target import TargetSettings
from mldeploy.core.errors import ExitCode

SECRET = "hunter2-secret"


def error_of(folder: Path, text: str = "", *overrides: Override) -> ConfigError:
    if text:
        (folder / "mldeploy.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(folder, overrides)
    return caught.value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[app]\nport = "5000x"', 'mldeploy.toml: app.port: must be an integer from 1 to 65535, not "5000x"'),
        ('[app]\nport = "5000"', 'mldeploy.toml: app.port: must be an integer from 1 to 65535, not "5000"'),
        ("[app]\nport = 0", "mldeploy.toml: app.port: must be an integer from 1 to 65535, not 0"),
        ("[app]\nport = true", "mldeploy.toml: app.port: must be an integer from 1 to 65535, not true"),
        ("[app]\nport = 1979-05-27", "mldeploy.toml: app.port: must be an integer from 1 to 65535, not a date or time"),
        ("[app]\ncpus = nan", "mldeploy.toml: app.cpus: must be a number from 0.1 to 256, not NaN"),
        ("[app]\nread_only = 1", "mldeploy.toml: app.read_only: must be true or false, not 1"),
        (
            '[app]\nname = "My App"',
            (
                "mldeploy.toml: app.name: must be a DNS label: a letter, then letters, digits and hyphens, 40 at most,"
                ' all in lower case, not "My App"\n"my-app" would do.'
            ),
        ),
        (
            '[app]\nmemory = "1 gigabyte"',
            (
                'mldeploy.toml: app.memory: must be a size of at least "6m", such as "512m" or "1g", not "1 gigabyte"\n'
                "Write a number and a unit: b, k, m, g or t."
            ),
        ),
        (
            '[app]\nmodels = ["a.joblib", "../b.joblib"]',
            (
                "mldeploy.toml: app.models[1]: must be the path of a file below the project folder, with /, not "
                '"../b.joblib"\nIt is copied into the image, so it must lie in the project folder.'
            ),
        ),
        (
            "[app]\nmodels = 3",
            "mldeploy.toml: app.models: must be a list of paths of files below the project folder, not 3",
        ),
        ("[app]\nprot = 5000", 'mldeploy.toml: app.prot: unknown key; did you mean "port"?'),
        ('[app]\nbase_image = "x"', "mldeploy.toml: app.base_image: unknown key; it belongs to [build]"),
        ("port = 5000", "mldeploy.toml: port: unknown key; it belongs to [app]"),
        ("[ap]\nport = 5000", 'mldeploy.toml: ap: unknown key; did you mean "app"?'),
        ('[app]\n"we ird" = 1', 'mldeploy.toml: app."we ird": unknown key'),
        ("app = 3", "mldeploy.toml: app: must be a table, not 3"),
        ("[target]\nlocal = 3", "mldeploy.toml: target.local: must be a table, not 3"),
        ("x = " + "[" * 5000, "mldeploy.toml: is nested too deeply"),
        ("x = " + "9" * 5000, "mldeploy.toml: is not valid TOML: a number is too long"),
        ("[app]\nport = 0x" + "f" * 5000, "mldeploy.toml: holds a number that is too long, or is nested too deeply"),
        ("[" + ".".join("a" * 3000) + "]", "mldeploy.toml: is nested too deeply"),
    ],
)
def test_the_message_says_where_and_what(tmp_path: Path, text: str, message: str) -> None:
    error = error_of(tmp_path, text)
    assert str(error).startswith(message)
    assert error.exit_code is ExitCode.CONFIG


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[app\n", "(at line 1, column 5)"),
        ("[app]\nport =\n", "(at line 2, column 7)"),
        ("[app]\nport = 1\nport = 2", "(at line 3, column 9)"),
        ("[app]\nname = 'x", "(at line 2, column 10)"),
    ],
)
def test_bad_toml_is_told_with_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    error = error_of(tmp_path, text)
    assert error.where == "mldeploy.toml"
    assert error.what.startswith("is not valid TOML: ")
    assert error.what.endswith(place)


@pytest.mark.parametrize(
    "text",
    [
        f'[app]\nenv = "{SECRET}"',
        f'[app.env]\nTOKEN = ["{SECRET}"]',
        f'[app.env]\n"TO KEN" = "{SECRET}"',
        f'[app.env]\nTOKEN = "{SECRET}\\u0000"',
        f'[app.evn]\nTOKEN = "{SECRET}"',
        f'[env]\nTOKEN = "{SECRET}"',
        f'[app]\nport = "x"\nenv = {{ TOKEN = "{SECRET}" }}',
        f'[build.args]\nTOKEN = ["{SECRET}"]',
        f'[app.env]\nTOKEN = "{SECRET}"\n[target.x]\nx = ' + "[" * 250 + "]" * 250,
        f'[app.env]\nTOKEN = "{SECRET}\n',
    ],
)
def test_no_message_and_no_cause_quotes_what_may_be_a_secret(tmp_path: Path, text: str) -> None:
    error: BaseException | None = error_of(tmp_path, text)
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_value_of_env_that_is_no_text_is_named(tmp_path: Path) -> None:
    error = error_of(tmp_path, "[app.env]\nPORT = 8080")
    assert str(error) == "mldeploy.toml: app.env.PORT: must be a text in quotes"


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    error = error_of(tmp_path, '[app]\nport = "x"\nprot = 1\n[check]\nstart_timeout = 0')
    assert [line.partition(": must")[0].partition(": unknown")[0] for line in str(error).splitlines()[:3]] == [
        "mldeploy.toml: app.port",
        "mldeploy.toml: app.prot",
        "mldeploy.toml: check.start_timeout",
    ]


def test_a_pyproject_is_named_with_its_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.mldeploy.app]\nport = "x"\n')
    assert str(error_of(tmp_path)).startswith("pyproject.toml: tool.mldeploy.app.port: must be")


def test_a_flag_is_named_instead_of_a_file(tmp_path: Path) -> None:
    error = error_of(tmp_path, "[app]\nport = 5000", Override("app.port", "5000x", "--port"))
    assert str(error) == '--port: must be an integer from 1 to 65535, not "5000x"'
    error = error_of(tmp_path, "", Override("app.env.A B", SECRET, "--env"))
    assert error.where == "--env"
    assert SECRET not in repr(Override("app.env.A", SECRET, "--env"))


def test_a_variable_is_named_instead_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLDEPLOY_APP_READ_ONLY", "maybe")
    assert str(error_of(tmp_path)) == 'MLDEPLOY_APP_READ_ONLY: must be true or false, not "maybe"'


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MLDEPLOY_APP_PROT", 'MLDEPLOY_APP_PROT: unknown variable; did you mean "MLDEPLOY_APP_PORT"?'),
        ("MLDEPLOY_APP_MODELS", "MLDEPLOY_APP_MODELS: unknown variable"),
        ("MLDEPLOY_", "MLDEPLOY_: unknown variable"),
    ],
)
def test_an_unknown_variable_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert str(error_of(tmp_path)).startswith(message)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLDEPLOY_APP_NAME", "caf\udce9")
    assert str(error_of(tmp_path)) == "MLDEPLOY_APP_NAME: is not UTF-8 text"


@pytest.mark.parametrize(
    ("text", "key"),
    [("[app]\nport = 1", "app"), ('[build]\nrequirements = "r.txt"', "build.requirements"), ("x = 1", "x")],
)
def test_the_users_file_holds_only_what_belongs_to_the_machine(
    tmp_path: Path, bare_machine: Path, text: str, key: str
) -> None:
    bare_machine.mkdir()
    (bare_machine / "config.toml").write_text(text)
    error = error_of(tmp_path)
    assert error.where == f"{bare_machine / 'config.toml'}: {key}"
    assert "build.base_image, build.builder, build.ca_bundle and build.index_url" in error.todo


@pytest.mark.parametrize("text", ["build = 3", '[build]\nca_bundle = "relative.pem"', "[build]\nbase_image = 3"])
def test_the_users_file_is_named_when_its_own_values_are_wrong(tmp_path: Path, bare_machine: Path, text: str) -> None:
    bare_machine.mkdir()
    (bare_machine / "config.toml").write_text(text)
    assert error_of(tmp_path).where.startswith(f"{bare_machine / 'config.toml'}: build")


@pytest.mark.parametrize(
    "reference", ["", "Python", "python:", "python 3", "python\nRUN x", "a" * 300, "python@sha256:12", "-x", "a//b"]
)
def test_what_is_no_image_reference_is_refused(tmp_path: Path, reference: str) -> None:
    flag = Override("build.base_image", reference, "--base-image")
    assert "must be an image reference" in str(error_of(tmp_path, "", flag))


@pytest.mark.parametrize("path", ["", "/etc/passwd", "..", "a/../../b", ".", "a\nb", "\x1b[31m"])
def test_what_goes_into_the_image_cannot_lie_outside_of_the_folder(tmp_path: Path, path: str) -> None:
    flag = Override("build.requirements", path, "--requirements")
    assert "--requirements: must be the path of a file below the project folder" in str(error_of(tmp_path, "", flag))


@pytest.mark.parametrize("path", ["health", "/a b", "/a?b", "/a\n", "/$(x)", "http://x/"])
def test_what_is_no_path_of_a_url_is_refused(tmp_path: Path, path: str) -> None:
    assert "must be the path of a URL" in str(error_of(tmp_path, "", Override("app.health", path, "--health")))


@pytest.mark.parametrize(
    "entry", ["app", "app:", ":app", "app.py:app:x", "a b:c", "app:f(x)", "app:f().g", "../app:app"]
)
def test_what_is_no_entry_is_refused(tmp_path: Path, entry: str) -> None:
    assert "must be a module and an object" in str(error_of(tmp_path, "", Override("app.entry", entry, "--entry")))


@pytest.mark.parametrize("entry", ["app:app", "a.b:create_app()", "a:create_app('x', 1, debug=False)"])
def test_an_object_and_a_call_with_literals_are_entries(tmp_path: Path, entry: str) -> None:
    assert load(tmp_path, (Override("app.entry", entry, "--entry"),)).app.entry == entry


@pytest.mark.parametrize("word", ["$HOME", "${PORT", "$PORTAL", "${PORT:-1}", "$(id)", "a$b", "a\\nb"])
def test_no_variable_but_the_images_own_is_filled_into_a_command(tmp_path: Path, word: str) -> None:
    error = error_of(tmp_path, f'[app]\ncommand = ["serve", "{word}"]')
    assert str(error).startswith("mldeploy.toml: app.command[1]: must be a text in quotes, one word of the command")


@pytest.mark.parametrize("folder", ["../x", "/x", "a$b", "a\tb", "a/../..", " a", "."])
def test_an_app_is_started_inside_of_the_folder(tmp_path: Path, folder: str) -> None:
    error = error_of(tmp_path, "", Override("app.chdir", folder, "--chdir"))
    assert str(error).startswith("--chdir: must be the path of a folder below the project folder")


@pytest.mark.parametrize("size", ["", "g", "1", "5m", "-1g", "1gg", "1e9", "9" * 40, "٣g", "1 000m", "999999t"])
def test_what_is_no_size_is_refused(tmp_path: Path, size: str) -> None:
    assert "must be a size" in str(error_of(tmp_path, "", Override("app.memory", size, "--memory")))


def test_a_home_that_nobody_has_is_refused(tmp_path: Path) -> None:
    error = error_of(tmp_path, '[build]\nca_bundle = "~no-such-user-here/ca.pem"')
    assert str(error) == "mldeploy.toml: build.ca_bundle: begins with ~, but that user has no home"


class Strict(TargetSettings):
    low: int = Field(default=1, ge=1)
    high: int = Field(default=2, lt=100)
    zone: str

    @model_validator(mode="after")
    def ordered(self) -> Strict:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mldeploy.toml: target.strict.zone: is missing; it must be a text"),
        ('zone = "a"\nlow = "1"', 'mldeploy.toml: target.strict.low: must be an integer from 1, not "1"'),
        ('zone = "a"\nhigh = 100', "mldeploy.toml: target.strict.high: must be an integer below 100, not 100"),
        ('zone = "a"\nlow = 5', "mldeploy.toml: target.strict: low is above high"),
        ('zone = "a"\nzoen = "b"', 'mldeploy.toml: target.strict.zoen: unknown key; did you mean "zone"?'),
    ],
)
def test_a_providers_model_is_answered_in_the_same_words(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mldeploy.toml").write_text(f"[target.strict]\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        target_settings(tmp_path, "strict", Strict)
    assert str(caught.value).startswith(message)


def test_an_unknown_variable_of_a_target_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLDEPLOY_TARGET_STRICT_ZONES", "a")
    with pytest.raises(ConfigError, match='unknown variable; did you mean "MLDEPLOY_TARGET_STRICT_ZONE"'):
        target_settings(tmp_path, "strict", Strict)
