"""Routers, blueprints and mounts as people combine them: the paths that `init` claims are those that the app has."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.project.detect.tables import build_tables
from tests.detect.route_sources import FASTAPI, FLASK, FLASK_PREDICT, detected, health, predict

ROUTER = FASTAPI + "router = APIRouter()\n"

SHAPES: dict[str, tuple[dict[str, str], str, str]] = {
    "routers of one name in modules": (
        {
            "shop/__init__.py": "",
            "shop/main.py": FASTAPI
            + "from shop import state, price\napp = FastAPI()\napp.include_router(state.router)\n"
            "app.include_router(price.router, prefix='/v2')\n",
            "shop/state.py": ROUTER + health("router"),
            "shop/price.py": ROUTER + predict("router"),
        },
        "/health",
        "/v2/predict",
    ),
    "aliased routers": (
        {
            "main.py": FASTAPI
            + "from state import router as first\nfrom price import router as second\napp = FastAPI()\n"
            "app.include_router(first)\napp.include_router(second, prefix='/p')\n",
            "state.py": ROUTER + health("router", "/livez"),
            "price.py": ROUTER + predict("router"),
        },
        "/livez",
        "/p/predict",
    ),
    "a prefix of the router's own": (
        {
            "main.py": FASTAPI + "import state, price\napp = FastAPI()\nfor each in (state.router, price.router):\n"
            "    app.include_router(each, prefix='/api')\n",
            "state.py": ROUTER + health("router"),
            "price.py": FASTAPI + "router = APIRouter(prefix='/price')\n" + predict("router"),
        },
        "/api/health",
        "/api/price/predict",
    ),
    "routers in routers, prefixes of other modules": (
        {
            "svc/__init__.py": "",
            "svc/conf.py": "class Conf:\n    ROOT: str = '/v3'\n\n\nconf = Conf()\nSTATE = '/state'\n",
            "svc/state.py": ROUTER + health("router", "/alive"),
            "svc/both.py": FASTAPI + "from . import state\nfrom .conf import STATE\nboth = APIRouter()\n"
            "both.include_router(state.router, prefix=STATE)\n" + predict("both"),
            "svc/main.py": FASTAPI + "from svc.both import both\nfrom svc.conf import conf\napp = FastAPI()\n"
            "app.include_router(both, prefix=f'{conf.ROOT}/x')\n",
        },
        "/v3/x/state/alive",
        "/v3/x/predict",
    ),
    "a prefix that nothing says": (
        {
            "main.py": FASTAPI + "import os\nimport price\napp = FastAPI(docs_url=None)\n"
            "app.include_router(price.router, prefix=os.environ['PREFIX'])\n",
            "price.py": ROUTER + health("router") + predict("router"),
        },
        "",
        "",
    ),
    "a mounted app": (
        {
            "main.py": FASTAPI + "api = FastAPI()\napp = FastAPI()\napp.mount('/api', api)\n" + health("api"),
        },
        "/api/health",
        "",
    ),
    "an app made by a factory": (
        {
            "shop.py": FLASK + "import routes\n\n\ndef create_app():\n    app = Flask(__name__)\n"
            "    app.register_blueprint(routes.bp, url_prefix='/in')\n    return app\n",
            "routes.py": FLASK + "bp = Blueprint('b', __name__, url_prefix='/out')\n" + health("bp"),
        },
        "/in/health",
        "",
    ),
    "two blueprints of one name": (
        {
            "app.py": FLASK
            + "import admin, api\napp = Flask(__name__)\napp.register_blueprint(api.bp, url_prefix='/api')\n"
            "app.register_blueprint(admin.bp, url_prefix='/admin')\n",
            "api.py": FLASK
            + "bp = Blueprint('api', __name__)\n"
            + health("bp")
            + FLASK_PREDICT.format(owner="bp", path="/predict"),
            "admin.py": FLASK + "bp = Blueprint('admin', __name__)\n",
        },
        "/api/health",
        "/api/predict",
    ),
    "nested blueprints, without an inclusion's prefix": (
        {
            "app.py": FLASK
            + "inner = Blueprint('i', __name__, url_prefix='/i')\nouter = Blueprint('o', __name__, url_prefix='/o')\n"
            + health("inner")
            + "outer.register_blueprint(inner)\napp = Flask(__name__)\napp.register_blueprint(outer)\n",
        },
        "/o/i/health",
        "",
    ),
    "a blueprint that nothing registers": (
        {"app.py": FLASK + "app = Flask(__name__)\nbp = Blueprint('b', __name__)\n" + health("bp")},
        "",
        "",
    ),
    "below a dispatcher": (
        {
            "app.py": FLASK
            + "from werkzeug.middleware.dispatcher import DispatcherMiddleware\napp = Flask(__name__)\n"
            + health("app")
            + "app.wsgi_app = DispatcherMiddleware(lambda e, s: [], {'/svc': app.wsgi_app})\n",
        },
        "/svc/health",
        "",
    ),
    "a dispatcher as the app": (
        {
            "wsgi.py": "from werkzeug.middleware.dispatcher import DispatcherMiddleware\n"
            "from front import app as front\nfrom api import app as api\n"
            "application = DispatcherMiddleware(front, {'/api': api})\n",
            "front.py": FLASK + "app = Flask(__name__)\n",
            "api.py": FLASK + "app = Flask(__name__)\n" + health("app"),
            "Procfile": "web: gunicorn wsgi:application\n",
        },
        "/api/health",
        "",
    ),
    "a middleware that moves the app": (
        {
            "app.py": FLASK
            + "from moved import PrefixMiddleware\napp = Flask(__name__)\n"
            + health("app")
            + "app.wsgi_app = PrefixMiddleware(app.wsgi_app, prefix='/svc')\n",
            "moved.py": "class PrefixMiddleware:\n    pass\n",
        },
        "",
        "",
    ),
    "classes of flask-restx": (
        {
            "app.py": "from flask import Flask, request\nfrom flask_restx import Api, Namespace, Resource\n"
            "app = Flask(__name__)\napi = Api(app, prefix='/v1')\nns = Namespace('ml')\napi.add_namespace(ns)\n\n\n"
            "@ns.route('/health')\nclass H(Resource):\n    def get(self):\n        return 'ok'\n\n\n"
            "@ns.route('/predict')\nclass P(Resource):\n    def post(self):\n        return len(request.get_json())\n",
        },
        "/v1/ml/health",
        "/v1/ml/predict",
    ),
    "resources of flask-restful": (
        {
            "app.py": "from flask import Flask, request\nfrom flask_restful import Api, Resource\n"
            "app = Flask(__name__)\napi = Api(app)\n\n\nclass H(Resource):\n    def get(self):\n"
            "        return 'ok'\n\n\napi.add_resource(H, '/health', '/healthz')\n",
        },
        "/health",
        "",
    ),
    "routes that Starlette is given": (
        {
            "main.py": "from starlette.applications import Starlette\nfrom starlette.routing import Mount, Route\n\n\n"
            "async def alive(request):\n    return None\n\n\n"
            "app = Starlette(routes=[Mount('/in', routes=[Route('/health', alive)])])\n",
        },
        "/in/health",
        "",
    ),
    "Django's includes": (
        {
            "web/manage.py": "import os\n",
            "web/conf/__init__.py": "",
            "web/conf/settings.py": "ROOT_URLCONF = 'conf.urls'\nALLOWED_HOSTS = ['*']\n",
            "web/conf/urls.py": "from django.urls import include, path\n"
            "urlpatterns = [path('api/', include('price.urls'))]\n",
            "web/conf/wsgi.py": "from django.core.wsgi import get_wsgi_application\n"
            "application = get_wsgi_application()\n",
            "web/price/__init__.py": "",
            "web/price/urls.py": "from django.urls import path\nfrom price.views import alive\n"
            "urlpatterns = [path('health', alive)]\n",
            "web/price/views.py": "def alive(request):\n    return None\n",
        },
        "/api/health",
        "",
    ),
    "a table in pandas' own form": (
        {
            "app.py": FLASK + "import pandas as pd\napp = Flask(__name__)\n\n\n@app.post('/score')\ndef score():\n"
            "    return len(pd.read_json(request.data, orient='split'))\n",
        },
        "",
        "",
    ),
    "a Dash below a path": (
        {"app.py": "import dash\napp = dash.Dash(url_base_pathname='/board/')\nserver = app.server\n"},
        "/board/",
        "",
    ),
    "a Dash whose pages alone think of a path": (
        {"app.py": "from dash import Dash\napp = Dash(requests_pathname_prefix='/board/')\nserver = app.server\n"},
        "/",
        "",
    ),
    "a Dash below a path that nothing says": (
        {
            "app.py": "import os\nfrom dash import Dash\napp = Dash(url_base_pathname=os.environ['BASE'])\n"
            "server = app.server\n"
        },
        "",
        "",
    ),
    "a Streamlit below a path": (
        {
            "app.py": "import streamlit as st\n\nst.write('a')\n",
            ".streamlit/config.toml": "[server]\nbaseUrlPath = '/shop/'\n",
        },
        "/shop/_stcore/health",
        "",
    ),
    "a Streamlit whose command has the path": (
        {
            "app.py": "import streamlit as st\n\nst.write('a')\n",
            "Procfile": "web: streamlit run app.py --server.baseUrlPath=shop --server.port $PORT\n",
        },
        "/shop/_stcore/health",
        "",
    ),
    "a loop over a list that is written down": (
        {
            "main.py": FASTAPI + "import price, state\napp = FastAPI()\nALL = [state.router, price.router]\n"
            "for each in ALL:\n    app.include_router(each, prefix='/v1')\n",
            "state.py": ROUTER + health("router"),
            "price.py": ROUTER + predict("router"),
        },
        "/v1/health",
        "/v1/predict",
    ),
    "loops with two names, and another of the same name": (
        {
            "main.py": FASTAPI + "import price, state\nfrom state import router\napp = FastAPI()\n"
            "for router, at in [(state.router, '/a'), (price.router, '/b')]:\n"
            "    app.include_router(router, prefix=at)\n"
            "for at, router in {'/c': price.router}.items():\n    app.include_router(router, prefix=f'/x{at}')\n",
            "state.py": ROUTER + health("router"),
            "price.py": ROUTER + predict("router", "/c/predict"),
        },
        "/a/health",
        "/b/c/predict",
    ),
    "a comprehension that includes": (
        {
            "main.py": FASTAPI + "import state\napp = FastAPI()\n"
            "[app.include_router(each, prefix='/v1') for each in (state.router,)]\n",
            "state.py": ROUTER + health("router"),
        },
        "/v1/health",
        "",
    ),
    "a function that is given the app": (
        {
            "main.py": FLASK + "from setup import add_routes\n\n\ndef create_app():\n    app = Flask(__name__)\n"
            "    add_routes(app)\n    return app\n",
            "setup.py": "import state\n\n\ndef add_routes(server):\n    register(server, '/in')\n\n\n"
            "def register(target, at):\n    target.register_blueprint(state.bp)\n",
            "state.py": FLASK + "bp = Blueprint('b', __name__)\n" + health("bp"),
        },
        "/health",
        "",
    ),
    "a branch that is always taken": (
        {
            "main.py": FLASK + "import state\napp = Flask(__name__)\nENABLED = True\nif ENABLED:\n"
            "    app.register_blueprint(state.bp)\n",
            "state.py": FLASK + "bp = Blueprint('b', __name__)\n" + health("bp"),
        },
        "/health",
        "",
    ),
    "a blueprint of Sanic": (
        {
            "app.py": "from sanic import Sanic\nfrom parts import bp\napp = Sanic('shop')\napp.blueprint(bp)\n",
            "parts.py": "from sanic import Blueprint\nbp = Blueprint('b', url_prefix='/in')\n" + health("bp"),
        },
        "/in/health",
        "",
    ),
    "numbers in the query are no row": (
        {
            "main.py": FASTAPI + "app = FastAPI(docs_url=None)\n\n\n@app.post('/predict')\ndef answer(x: float):\n"
            "    return x\n",
        },
        "",
        "",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_claimed_routes_are_those_of_the_app(tmp_path: Path, name: str) -> None:
    files, health_path, predict_path = SHAPES[name]
    folder = detected(tmp_path, files)
    claimed = [each.value if each else "" for each in (folder.health, folder.predict)]
    assert claimed == [health_path, predict_path]
    assert build_tables(folder)["app"].get("health_by") == (None if health_path else "server")


def test_table_has_its_own_route(tmp_path: Path) -> None:
    folder = detected(tmp_path, SHAPES["a table in pandas' own form"][0])
    assert folder.predict_table
    assert folder.predict_table.value == "/score"
