"""Targets are looked up by name; built-in targets need no scan of the installed packages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from mldeploy import __version__
from mldeploy.cli.errors import report_of
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.providers import registry
from mldeploy.providers.capabilities import Runtime
from mldeploy.providers.errors import PluginError, UnknownTargetError
from mldeploy.providers.local import provider
from mldeploy.rehearsal.standins import StandIn


def test_local_target_is_known() -> None:
    assert registry.find("local") is provider
    assert registry.names()[0] == "local"


@pytest.mark.parametrize(("name", "nearest"), [("lokal", "did you mean 'local'?"), ("qqqq", "unknown target 'qqqq'")])
def test_unknown_target_is_answered_with_the_known_ones(name: str, nearest: str) -> None:
    with pytest.raises(UnknownTargetError) as caught:
        registry.find(name)
    assert nearest in caught.value.what
    assert "Known targets: local" in caught.value.todo
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages, with a plug-in that installs itself by `install`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


IDLE = """\
class Provider:
    name, settings, kinds, connect, place, inventory = "ceres", object, {}, print, print, print

provider = Provider()
"""
"""Neither a registry nor a runtime."""


def install(site: Path, module: str, code: str) -> None:
    (site / f"{module}.py").write_text(code)
    info = site / f"{module}_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mldeploy.providers]\n{module} = {module}:provider\n")


def test_installed_provider_is_found(site: Path) -> None:
    install(site, "moon", "from mldeploy.providers.local.provider import LocalProvider\nprovider = LocalProvider()\n")
    assert "moon" in registry.names()
    assert registry.find("moon").name == "local"


@pytest.mark.parametrize(
    ("module", "code", "text"),
    [
        ("sun", "import there_is_no_such_sdk", "cannot be loaded (ModuleNotFoundError: No module named"),
        ("mars", "raise RuntimeError", "cannot be loaded (RuntimeError)"),
        ("venus", "", "cannot be loaded (AttributeError"),
        ("pluto", "provider = 9", "pluto:provider of the package pluto-plugin is not a provider: it has no name"),
        ("ceres", IDLE, "is not a provider: it has no goal and service, nor login and push"),
    ],
)
def test_broken_provider_is_one_sentence(site: Path, module: str, code: str, text: str) -> None:
    install(site, module, code)
    with pytest.raises(PluginError) as caught:
        registry.find(module)
    assert isinstance(caught.value, MldeployError)
    assert text in caught.value.what
    assert f"{module}-plugin" in caught.value.todo
    assert "\n" not in str(caught.value).removesuffix(caught.value.todo).strip()


def test_listing_the_targets_imports_no_sdk() -> None:
    code = "import sys; from mldeploy.providers import registry; registry.names(); sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


DECLARING = """\
from mldeploy.providers.declaration import TargetDeclaration

TARGETS = (
    TargetDeclaration("io", "sdk", "push", "io_plugin.stand_in:STAND_IN", "io_plugin.ci:go"),
)
"""


@pytest.fixture
def io(site: Path) -> Iterator[Path]:
    """A package that declares a target and whose provider needs an SDK that is not installed."""
    package = site / "io_plugin"
    package.mkdir()
    (package / "__init__.py").write_text(DECLARING)
    (package / "provider.py").write_text("import there_is_no_such_sdk\n")
    (package / "stand_in.py").write_text("STAND_IN = None\n")
    (package / "ci.py").write_text("import there_is_no_such_helper\n")
    info = site / "io_plugin-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: io-plugin\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[mldeploy.providers]\nio = io_plugin.provider:provider\n")
    yield package
    for name in [each for each in sys.modules if each.partition(".")[0] == package.name]:
        del sys.modules[name]


@pytest.mark.usefixtures("io")
def test_what_a_package_declares_is_read_without_its_sdk() -> None:
    declared = registry.declaration("io")
    assert (declared.verb, declared.stand_in) == ("push", "io_plugin.stand_in:STAND_IN")
    assert registry.requirement("io") == (f"mldeploy=={__version__}", "io-plugin[sdk]==1.2")


@pytest.mark.usefixtures("io")
def test_a_missing_extra_of_another_package_is_named() -> None:
    with pytest.raises(PluginError) as caught:
        registry.find("io")
    assert caught.value.exit_code is ExitCode.USAGE
    assert "there_is_no_such_sdk is missing" in caught.value.what
    assert caught.value.todo == "Run `pip install 'io-plugin[sdk]'`."


def test_an_sdk_that_is_imported_late_is_named_as_well(io: Path) -> None:
    (io / "provider.py").write_text("def connect():\n    import there_is_no_such_sdk\n")
    with pytest.raises(ModuleNotFoundError) as caught:
        import_module("io_plugin.provider").connect()
    report = report_of(caught.value)
    assert (report.code, report.todo) == (ExitCode.USAGE, "Run `pip install 'io-plugin[sdk]'`.")
    assert report_of(ModuleNotFoundError("no such module", name="of_nobody")).code is ExitCode.INTERNAL


@pytest.mark.usefixtures("io")
def test_a_declared_path_that_leads_nowhere_is_one_sentence() -> None:
    with pytest.raises(PluginError) as caught:
        registry.load_declared("io", "io_plugin.ci:go")
    assert "io_plugin.ci:go cannot be loaded (ModuleNotFoundError" in caught.value.what
    assert "io-plugin" in caught.value.todo


@pytest.mark.parametrize("text", ["TARGETS = 5\n", 'TARGETS = {"io": 1}\n', "TARGETS = (1, None)\n", ""])
def test_what_is_no_declaration_is_not_read(io: Path, text: str) -> None:
    (io / "__init__.py").write_text(text)
    declared = registry.declaration("io")
    assert (declared.extra, declared.stand_in, declared.sign_in) == ("", "", "")


def test_a_broken_package_hides_no_other_target(io: Path) -> None:
    (io / "__init__.py").write_text("raise RuntimeError\n")
    assert "fargate" in [each.name for each in registry.usable_declarations()]
    with pytest.raises(PluginError, match="io-plugin cannot be loaded"):
        registry.find("io")


def test_our_declarations_are_read_without_an_sdk() -> None:
    code = (
        "import sys; from mldeploy.providers import registry; "
        "names = {each.name for each in registry.usable_declarations() if each.stand_in and each.sign_in}; "
        "loaded = {'boto3', 'azure', 'google', 'kubernetes'} & {*sys.modules}; "
        "sys.exit(names != {*registry.built_in()} - {'local'} or bool(loaded))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", [name for name in registry.built_in() if name != "local"])
def test_what_a_target_of_ours_declares_can_be_loaded(name: str) -> None:
    declared = registry.declaration(name)
    assert isinstance(registry.load_declared(name, declared.stand_in), StandIn)
    assert callable(registry.load_declared(name, declared.sign_in))
    assert declared.verb == ("deploy" if isinstance(registry.find(name), Runtime) else "push")
