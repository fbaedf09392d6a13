"""No package loses where it comes from: it is kept, or the list is refused with its file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mldeploy.project.errors import ProjectError
from mldeploy.project.proposal import propose_project, read_folder
from tests.detect.package_folders import COMMIT, DEFAULT, PRIVATE, SHA, lines, make, refusal

UV = 'version = 1\n\n[[package]]\nname = "x"\nversion = "1"\nsource = { virtual = "." }\ndependencies = [%s]\n'
FLASK = '[[package]]\nname = "flask"\nversion = "3.1.0"\nsource = { registry = "@DEFAULT@" }\n'
PROJECT = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["flask==3.1.0", "tools"]\n'


def uv_lock(source: str, more: str = "") -> str:
    start = UV % '{ name = "flask" }, { name = "tools" }'
    return f'{start}\n{FLASK}\n[[package]]\nname = "tools"\nversion = "1.4.0"\nsource = {source}\n{more}'


def poetry_lock(source: str, files: str = "[]") -> str:
    tools = f'[[package]]\nname = "tools"\nversion = "1.4.0"\noptional = false\nfiles = {files}\n'
    flask = '[[package]]\nname = "flask"\nversion = "3.1.0"\nfiles = []\n'
    return f'{flask}\n{tools}\n{source}\n[metadata]\nlock-version = "2.1"\n'


def pipfile_lock(**tools: object) -> str:
    indexes = [{"name": "usual", "url": "@DEFAULT@"}, {"name": "own", "url": "@PRIVATE@"}]
    document = {
        "_meta": {"pipfile-spec": 6, "sources": indexes},
        "default": {"flask": {"version": "==3.1.0"}, "tools": tools},
    }
    return json.dumps(document, indent=4)


FLASK_WHEEL = "https://files.example.com/flask-3.1.0-py3-none-any.whl"


def pylock(tools: str) -> str:
    wheel = f'wheels = [{{ url = "{FLASK_WHEEL}", hashes = {{ sha256 = "{"cd" * 32}" }} }}]'
    flask = f'[[packages]]\nname = "flask"\nversion = "3.1.0"\nindex = "@DEFAULT@"\n{wheel}\n'
    own = f'[[packages]]\nname = "tools"\nversion = "1.4.0"\n{tools}\n'
    return f'lock-version = "1.0"\ncreated-by = "test"\n\n{flask}\n{own}'


GIT = f"tools @ git+https://git.example.com/team/tools.git@{COMMIT}"
WHEEL = "https://files.example.com/tools-1.4.0-py3-none-any.whl"
KEPT = {
    "uv, Git": ({"uv__lock": uv_lock('{ git = "https://git.example.com/team/tools.git?tag=v2#@COMMIT@" }')}, GIT),
    "uv, Git below": (
        {"uv__lock": uv_lock('{ git = "ssh://git@git.example.com/t.git?subdirectory=lib#@COMMIT@" }')},
        f"tools @ git+ssh://git@git.example.com/t.git@{COMMIT}#subdirectory=lib",
    ),
    "uv, URL": ({"uv__lock": uv_lock(f'{{ url = "{WHEEL}" }}')}, f"tools @ {WHEEL}"),
    "uv, folder": (
        {"uv__lock": uv_lock('{ editable = "lib" }'), "lib___pyproject__toml": PROJECT},
        "./lib",
    ),
    "uv, private index": (
        {"uv__lock": uv_lock('{ registry = "@PRIVATE@" }', f'wheels = [{{ url = "{WHEEL}", hash = "{SHA}" }}]')},
        f"tools @ {WHEEL}#{SHA.replace(':', '=')}",
    ),
    "Poetry, Git": (
        {"poetry__lock": poetry_lock(
            '[package.source]\ntype = "git"\nurl = "https://git.example.com/team/tools.git"\n'
            'reference = "main"\nresolved_reference = "@COMMIT@"\n'
        )},
        GIT,
    ),
    "Poetry, URL": (
        {"poetry__lock": poetry_lock(
            f'[package.source]\ntype = "url"\nurl = "{WHEEL}"\n', f'[{{file = "t", hash = "{SHA}"}}]'
        )},
        f"tools @ {WHEEL}#{SHA.replace(':', '=')}",
    ),
    "Poetry, folder": (
        {"poetry__lock": poetry_lock('[package.source]\ntype = "directory"\nurl = "lib"\n'), "lib___setup__py": ""},
        "./lib",
    ),
    "Poetry, private index with a hash": (
        {"poetry__lock": poetry_lock(
            '[package.source]\ntype = "legacy"\nurl = "@PRIVATE@"\nreference = "own"\n',
            f'[{{file = "tools-1.4.0.tar.gz", hash = "{SHA}"}}]',
        )},
        f"tools==1.4.0 --hash={SHA}",
    ),
    "Pipenv, Git": ({"Pipfile__lock": pipfile_lock(git="https://git.example.com/team/tools.git", ref=COMMIT)}, GIT),
    "Pipenv, URL": ({"Pipfile__lock": pipfile_lock(file=WHEEL)}, f"tools @ {WHEEL}"),
    "Pipenv, private index with a hash": (
        {"Pipfile__lock": pipfile_lock(index="own", version="==1.4.0", hashes=[SHA])},
        f"tools==1.4.0 --hash={SHA}",
    ),
    "pylock, Git": (
        {"pylock__toml": pylock(
            'vcs = { type = "git", url = "https://git.example.com/team/tools.git", commit-id = "@COMMIT@" }'
        )},
        GIT,
    ),
    "pylock, archive": (
        {"pylock__toml": pylock(f'archive = {{ url = "{WHEEL}", hashes = {{ sha256 = "{"ab" * 32}" }} }}')},
        f"tools @ {WHEEL}#{SHA.replace(':', '=')}",
    ),
    "uv's sources, Git": (
        {"pyproject__toml": PROJECT + '[tool.uv.sources]\n'
                            'tools = { git = "https://git.example.com/team/tools.git", rev = "@COMMIT@" }\n'},
        GIT,
    ),
    "Poetry's table, Git": (
        {"pyproject__toml": '[tool.poetry.dependencies]\nflask = "3.1.0"\n'
                            'tools = { git = "https://git.example.com/team/tools.git", rev = "@COMMIT@" }\n'},
        GIT,
    ),
    "Pipfile, path": (
        {"Pipfile": '[packages]\nflask = "*"\ntools = { path = "./lib" }\n', "lib___setup__py": ""},
        "./lib",
    ),
    "conda, Git": (
        {"environment__yml": "dependencies:\n  - pip:\n    - flask==3.1.0\n    - git+https://git.example.com/team/tools.git@v2\n"},
        "git+https://git.example.com/team/tools.git@v2",
    ),
    "conda, index": (
        {"environment__yml": "dependencies:\n  - pip:\n    - flask==3.1.0\n    - --extra-index-url @PRIVATE@\n"},
        f"--extra-index-url {PRIVATE}",
    ),
    "conda, included file": (
        {"environment__yml": "dependencies:\n  - pip:\n    - -r deps/prod.txt\n", "deps___prod__txt": "flask==3.1.0\n"},
        "--requirement deps/prod.txt",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "line"), KEPT.values(), ids=KEPT)
def test_a_source_is_kept(tmp_path: Path, texts: dict[str, str], line: str) -> None:
    written = lines(make(tmp_path, **texts))
    assert line in written
    assert not any(each == "tools" or each.startswith("tools==1.4.0 ;") for each in written), "a bare name"
    assert "tools==1.4.0" not in written


REFUSED = {
    "uv, unknown kind": ({"uv__lock": uv_lock('{ ipfs = "bafy" }')}, "uv.lock:14: tools"),
    "uv, no kind": ({"uv__lock": uv_lock("{ }")}, "uv.lock:14: tools"),
    "uv, folder outside": ({"uv__lock": uv_lock('{ editable = "../lib" }')}, "uv.lock:14: tools"),
    "uv, folder not there": ({"uv__lock": uv_lock('{ directory = "lib" }')}, "uv.lock:14: tools"),
    "uv, private index without files": ({"uv__lock": uv_lock('{ registry = "@PRIVATE@" }')}, "uv.lock:14: tools"),
    "uv, index that is a folder": ({"uv__lock": uv_lock('{ registry = "../wheels" }')}, "uv.lock:14: tools"),
    "uv, another version": ({"uv__lock": "version = 9\n" + FLASK}, "uv.lock: is of version 9"),
    "Poetry, unknown kind": (
        {"poetry__lock": poetry_lock('[package.source]\ntype = "hg"\nurl = "https://hg.example.com/x"\n')},
        "poetry.lock:6: tools",
    ),
    "Poetry, wheel outside": (
        {"poetry__lock": poetry_lock('[package.source]\ntype = "file"\nurl = "../t-1-py3-none-any.whl"\n')},
        "poetry.lock:6: tools",
    ),
    "Poetry, private index": (
        {"poetry__lock": poetry_lock('[package.source]\ntype = "legacy"\nurl = "@PRIVATE@"\n')}, "poetry.lock:6: tools",
    ),
    "Pipenv, Mercurial": ({"Pipfile__lock": pipfile_lock(hg="https://hg.example.com/x")}, "Pipfile.lock:19: tools"),
    "Pipenv, unknown index": ({"Pipfile__lock": pipfile_lock(index="other", version="==1")}, "Pipfile.lock:19: tools"),
    "Pipenv, private index": ({"Pipfile__lock": pipfile_lock(index="own", version="==1")}, "Pipfile.lock:19: tools"),
    "Pipfile, unverified index": (
        {"Pipfile": f'[[source]]\nname = "own"\nurl = "{PRIVATE}"\nverify_ssl = false\n[packages]\nflask = "*"\n'},
        "Pipfile:4: turns off the verification",
    ),
    "pylock, no index": ({"pylock__toml": pylock("")}, "pylock.toml:10: tools"),
    "pylock, two kinds": (
        {"pylock__toml": pylock(f'archive = {{ url = "{WHEEL}" }}\nvcs = {{ type = "git" }}')}, "pylock.toml:10: tools",
    ),
    "uv's sources, unknown": (
        {"pyproject__toml": PROJECT + '[tool.uv.sources]\ntools = { svn = "x" }\n'}, "pyproject.toml:5: tools",
    ),
    "uv's sources, explicit index": (
        {"pyproject__toml": PROJECT + '[tool.uv.sources]\ntools = { index = "own" }\n'
                            '[[tool.uv.index]]\nname = "own"\nurl = "@PRIVATE@"\nexplicit = true\n'},
        "pyproject.toml:5: tools",
    ),
    "Poetry's table, index": (
        {"pyproject__toml": '[tool.poetry.dependencies]\nflask = "3.1.0"\ntools = { version = "1", source = "own" }\n'
                            '[[tool.poetry.source]]\nname = "own"\nurl = "@PRIVATE@"\npriority = "explicit"\n'},
        "pyproject.toml:3: tools",
    ),
    "PDM's index": (
        {"pyproject__toml": PROJECT + '[[tool.pdm.source]]\nname = "own"\nurl = "@PRIVATE@"\n'},
        "pyproject.toml:6: names an index of PDM",
    ),
    "conda, private channel": (
        {"environment__yml": "channels: [ours, conda-forge]\ndependencies:\n  - flask=3.1.0\n"},
        "environment.yml:3: may take flask from the channel ours",
    ),
    "conda, package of a private channel": (
        {"environment__yml": "dependencies:\n  - ours::tools=1\n"}, "environment.yml:2: takes tools from the channel",
    ),
    "conda, package by its address": (
        {"environment__yml": "dependencies:\n  - https://example.com/tools-1.conda\n"}, "environment.yml:2: holds an",
    ),
    "conda, unverified host": (
        {"environment__yml": "dependencies:\n  - pip:\n    - --trusted-host example.com\n    - flask\n"},
        "environment.yml:3: turns off the verification",
    ),
    "conda, editable": ({"environment__yml": "dependencies:\n  - pip:\n    - -e ./lib\n"}, "environment.yml:3: "),
    "conda, missing file": ({"environment__yml": "dependencies:\n  - pip:\n    - -r x.txt\n"}, "environment.yml:3: "),
    "conda, index with a variable": (
        {"environment__yml": "dependencies:\n  - pip:\n    - -i https://${T}@example.com/simple\n    - flask\n"},
        "environment.yml:3: names an index whose address has a variable",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "start"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_kept_is_refused_with_its_file_and_line(
    tmp_path: Path, texts: dict[str, str], start: str
) -> None:
    folder = make(tmp_path, **texts)
    assert refusal(folder).startswith(f"{folder}: {start}")
    with pytest.raises(ProjectError):
        propose_project(read_folder(folder))


SECRET = "hunter2" + "hunter2"
WITH_SECRET = {
    "uv, Git": {"uv__lock": uv_lock(f'{{ git = "https://me:{SECRET}@git.example.com/t.git#@COMMIT@" }}')},
    "uv, URL": {"uv__lock": uv_lock(f'{{ url = "https://{SECRET}@files.example.com/t-1-py3-none-any.whl" }}')},
    "Pipenv": {
        "Pipfile": f'[[source]]\nname = "own"\nurl = "https://me:{SECRET}@e.com/simple"\n[packages]\nflask = "*"\n'
    },
    "uv's index": {
        "pyproject__toml": PROJECT + f'[[tool.uv.index]]\nname = "own"\nurl = "https://me:{SECRET}@e.com/simple"\n'
    },
    "conda": {
        "environment__yml": f"dependencies:\n  - pip:\n    - -i https://me:{SECRET}@e.com/simple\n    - flask\n"
    },
    "conda's channel": {"environment__yml": f"dependencies:\n  - https://e.com/t/{SECRET}/own::tools\n"},
}  # fmt: skip


@pytest.mark.parametrize("texts", WITH_SECRET.values(), ids=WITH_SECRET)
def test_a_password_in_a_list_is_refused_and_not_shown(tmp_path: Path, texts: dict[str, str]) -> None:
    folder = make(tmp_path, **texts)
    assert refusal(folder)
    assert SECRET not in refusal(folder)
    assert not any(SECRET in f"{each}" for each in read_folder(folder).remarks)


def test_all_packages_of_one_private_index_leave_the_default_one_out(tmp_path: Path) -> None:
    lock = uv_lock('{ registry = "@PRIVATE@" }').replace("@DEFAULT@", "@PRIVATE@")
    assert lines(make(tmp_path, uv__lock=lock)) == [f"--index-url {PRIVATE}", "flask==3.1.0", "tools==1.4.0"]


def test_hashes_are_kept(tmp_path: Path) -> None:
    lock = uv_lock('{ registry = "@DEFAULT@" }', f'sdist = {{ url = "{WHEEL}", hash = "{SHA}" }}\n')
    assert f"tools==1.4.0 --hash={SHA}" in lines(make(tmp_path, uv__lock=lock))


def test_a_package_with_another_build_for_each_processor_gets_both(tmp_path: Path) -> None:
    wheels = ", ".join(
        f'{{ url = "https://files.example.com/tools-1.4.0-cp311-cp311-{platform}.whl", hash = "{SHA}" }}'
        for platform in ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "win_amd64", "macosx_11_0_arm64")
    )
    written = lines(make(tmp_path, uv__lock=uv_lock('{ registry = "@PRIVATE@" }', f"wheels = [{wheels}]")))
    tools = [each for each in written if each.startswith("tools")]
    assert [each.rpartition(" ; ")[2] for each in tools] == [
        "platform_machine == 'aarch64'",
        "platform_machine == 'x86_64'",
    ]
    assert "aarch64.whl" in tools[0]
    assert "x86_64.whl" in tools[1]


def test_forks_of_a_uv_lock_are_told_apart_by_their_source(tmp_path: Path) -> None:
    fork = '{{ name = "torch", version = "{}", source = {{ registry = "{}" }}, marker = "sys_platform == \'{}\'" }}'
    forks = fork.format("2.6.0", "@DEFAULT@", "darwin"), fork.format("2.6.0+cpu", "@PRIVATE@", "linux")
    lock = UV % ", ".join([*forks, '{ name = "flask" }'])
    lock += f'\n{FLASK}\n[[package]]\nname = "torch"\nversion = "2.6.0"\nsource = {{ registry = "@DEFAULT@" }}\n'
    wheel = "https://files.example.com/torch-2.6.0%2Bcpu-cp311-cp311-linux_x86_64.whl"
    lock += '\n[[package]]\nname = "torch"\nversion = "2.6.0+cpu"\nsource = { registry = "@PRIVATE@" }\n'
    lock += f'wheels = [{{ url = "{wheel}", hash = "{SHA}" }}]\n'
    torch = [each for each in lines(make(tmp_path, uv__lock=lock)) if each.startswith("torch")]
    assert torch == [f"torch @ {wheel}#{SHA.replace(':', '=')} ; platform_machine == 'x86_64'"]


def test_the_projects_own_package_is_no_package_of_an_index(tmp_path: Path) -> None:
    folder = make(tmp_path, Pipfile__lock=pipfile_lock(path=".", editable=True))
    assert lines(folder) == ["flask==3.1.0"]
    assert any(each.code == "requirement-itself" for each in read_folder(folder).remarks)


def test_groups_that_poetry_installs_by_default_count(tmp_path: Path) -> None:
    text = (
        '[tool.poetry.dependencies]\nflask = "3.1.0"\n[tool.poetry.group.ml.dependencies]\nnumpy = "2.1.3"\n'
        '[tool.poetry.group.dev.dependencies]\npytest = "*"\n'
    )
    assert lines(make(tmp_path, pyproject__toml=text)) == ["flask==3.1.0", "numpy==2.1.3"]


def test_the_default_index_is_known_by_its_address(tmp_path: Path) -> None:
    assert lines(make(tmp_path, uv__lock=uv_lock(f'{{ registry = "{DEFAULT}" }}'))) == ["flask==3.1.0", "tools==1.4.0"]
