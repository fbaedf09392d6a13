"""Routes that may not be there, or cannot be asked for: `init` neither claims nor denies them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.project.detect.tables import build_tables
from tests.detect.route_sources import FLASK, FLASK_PREDICT, detected, health

START = "import os, importlib, state\nfrom conf import settings\nfrom flask import Flask\napp = Flask(__name__)\n"
INCLUDE = "app.register_blueprint(state.bp)\n"
UNSURE: dict[str, str] = {
    "a guard": f"{START}if settings.enabled:\n    {INCLUDE}",
    "a guard in one line": f"{START}settings.enabled and {INCLUDE}",
    "a choice of prefixes": f"{START}if settings.old:\n    {INCLUDE}else:\n"
    "    app.register_blueprint(state.bp, url_prefix='/v2')\n",
    "an early return": "import state\nfrom conf import settings\nfrom flask import Flask\n\n\ndef create_app():\n"
    f"    app = Flask(__name__)\n    if settings.small:\n        return app\n    {INCLUDE}    return app\n",
    "a function that nothing calls": f"{START}\n\ndef extend():\n    {INCLUDE}",
    "a function behind a guard": f"{START}\n\ndef extend():\n    {INCLUDE}\n\nif settings.enabled:\n    extend()\n",
    "a loop over what is computed": f"{START}for each in settings.parts:\n"
    "    app.register_blueprint(importlib.import_module(each).bp)\n",
    "a loop that passes over some": f"{START}for each in (state.bp,):\n    if each.name in settings.off:\n"
    "        continue\n    app.register_blueprint(each)\n",
    "a loop that binds the name of an import": f"{START}from state import bp\nfor each in settings.parts:\n"
    "    bp = importlib.import_module(each).bp\n    app.register_blueprint(bp)\n",
    "a part that may be absent": f"{START}try:\n    {INCLUDE}except ImportError:\n    pass\n",
    "an import that a guard decides": "from conf import settings\nfrom flask import Flask\nif settings.old:\n"
    "    from old import bp\nelse:\n    from state import bp\napp = Flask(__name__)\napp.register_blueprint(bp)\n",
    "a route behind a guard": f"{START}if settings.enabled:\n\n    @app.get('/health')\n    def up():\n"
    "        return ''\n",
    "a path of the settings": f"{START}\n\n@app.get(os.environ['AT'])\ndef up():\n    return ''\n",
}


@pytest.mark.parametrize("name", UNSURE)
def test_routes_that_may_not_be_there_are_not_claimed_and_not_denied(tmp_path: Path, name: str) -> None:
    blueprint = (
        FLASK + "bp = Blueprint('b', __name__)\n" + health("bp") + FLASK_PREDICT.format(owner="bp", path="/predict")
    )
    files = {
        "state.py": blueprint,
        "old.py": blueprint,
        "conf.py": "class S:\n    enabled = False\n\n\nsettings = S()\n",
    }
    folder = detected(tmp_path, {**files, "main.py": UNSURE[name]})
    assert (folder.health, folder.predict, folder.knows_routes) == (None, None, False)


@pytest.mark.parametrize(
    "files",
    [
        (
            "from litestar import Controller, Litestar, get\n\n\nclass State(Controller):\n    path = '/state'\n\n"
            "    @get('/health')\n    async def up(self) -> str:\n        return ''\n\n\napp = Litestar([State])\n"
        ),
        (
            "from sanic import Sanic\napp = Sanic('shop')\n\n\n@app.get('/health', version=1)\nasync def up(request):\n"
            "    return None\n"
        ),
        (
            "import falcon\n\n\nclass State:\n    def on_get(self, request, response):\n        pass\n\n\n"
            "app = falcon.App()\napp.add_route('/health', State())\n"
        ),
    ],
    ids=["Litestar's controllers", "a version of Sanic", "Falcon's resources"],
)
def test_frameworks_that_are_not_read_leave_the_routes_open(tmp_path: Path, files: str) -> None:
    folder = detected(tmp_path, {"app.py": files})
    assert (folder.health, folder.predict, folder.knows_routes) == (None, None, False)


KEY = "def key(x: str = Header(...)):\n    return x\n\n\n"
SCHEME = "scheme = APIKeyHeader(name='X-Key')\n"


@pytest.mark.parametrize(
    ("before", "app", "route", "handler", "claimed"),
    [
        (KEY, "", ", dependencies=[Depends(key)]", "", "/docs"),
        (KEY, "dependencies=[Depends(key)]", "", "", "/docs"),
        ("from auth import current_user\n", "", "", "user=Depends(current_user)", "/docs"),
        (SCHEME, "", "", "given: str = Security(scheme)", "/docs"),
        (SCHEME, "", "", "given: Annotated[str, Depends(scheme)]", "/docs"),
        ("", "", "", "token: str", "/docs"),
        ("", "", "", "token: str = Query()", "/docs"),
        ("", "", "", "token: Annotated[str, Header()]", "/docs"),
        ("", "", "", "deep: bool = False", "/health"),
        ("", "", "", "token: str = Header(None)", "/health"),
        ("", "", "", "request: Request, response: Response", "/health"),
        ("def session():\n    return 1\n\n\n", "", "", "db=Depends(session)", "/health"),
        ("from shop.db import session\n", "", "", "db: Session = Depends(session)", "/health"),
        (SCHEME.replace(")", ", auto_error=False)"), "", "", "given=Security(scheme)", "/health"),
    ],
)
def test_health_that_a_probe_cannot_ask_for_is_not_claimed(
    tmp_path: Path, before: str, app: str, route: str, handler: str, claimed: str
) -> None:
    text = (
        "from typing import Annotated\n"
        "from fastapi import Depends, FastAPI, Header, Query, Request, Response, Security\n"
        f"from fastapi.security import APIKeyHeader\n{before}app = FastAPI({app})\n\n\n"
        f"@app.get('/health'{route})\ndef health({handler}):\n    return {{}}\n"
    )
    found = detected(tmp_path, {"main.py": text}).health
    assert found
    assert found.value == claimed


@pytest.mark.parametrize(
    "guard", ["login_required", "jwt_required()", "auth.login_required", "token_required", "requires_auth"]
)
def test_health_of_a_flask_behind_a_login_is_not_claimed(tmp_path: Path, guard: str) -> None:
    handler = f"@app.get('/health')\n@{guard}\ndef up():\n    return ''\n"
    text = f"{FLASK}from own import *\napp = Flask(__name__)\n\n\n{handler}"
    folder = detected(tmp_path, {"app.py": text})
    assert folder.health is None
    assert build_tables(folder)["app"]["health_by"] == "server"
