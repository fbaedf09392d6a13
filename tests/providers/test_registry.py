"""A target is found by its name, ours without looking at what else is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.providers import registry
from mldeploy.providers.errors import PluginError, UnknownTargetError
from mldeploy.providers.local import provider


def test_local_target_is_known() -> None:
    assert registry.find("local") is provider
    assert registry.names()[0] == "local"


@pytest.mark.parametrize(
    ("name", "nearest"), [("lokal", "did you mean 'local'?"), ("qqqq", "there is no target 'qqqq'")]
)
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
    ("module", "code", "said"),
    [
        ("sun", "import there_is_no_such_sdk", "cannot be loaded (ModuleNotFoundError: No module named"),
        ("mars", "raise RuntimeError", "cannot be loaded (RuntimeError)"),
        ("venus", "", "cannot be loaded (AttributeError"),
        ("pluto", "provider = 9", "pluto:provider of the package pluto-plugin is not a provider: it has no name"),
    ],
)
def test_broken_provider_is_one_sentence(site: Path, module: str, code: str, said: str) -> None:
    install(site, module, code)
    with pytest.raises(PluginError) as caught:
        registry.find(module)
    assert isinstance(caught.value, MldeployError)
    assert said in caught.value.what
    assert f"{module}-plugin" in caught.value.todo
    assert "\n" not in str(caught.value).removesuffix(caught.value.todo).strip()


def test_listing_the_targets_imports_no_sdk() -> None:
    code = "import sys; from mldeploy.providers import registry; registry.names(); sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
