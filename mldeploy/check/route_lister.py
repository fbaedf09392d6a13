"""Imports the app and lists its routes. The text of this file runs inside the container.

mldeploy never imports it. It needs only the standard library of Python 3.6 or later. The last argument is the entry:
`module:attribute`, or `module:function(…)` with literals. The last line of output is a JSON object.
"""

# ruff: noqa: BLE001, PLC0415, PTH109 - it imports what the server imports, whatever that raises, in any Python
# mypy: ignore-errors

import ast
import importlib
import json
import os
import sys
import traceback

output = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # keep prints of the app out of the output
routes = []
unknown = []


def add(path, methods, content=()):
    routes.append({"path": path, "methods": sorted(methods), "content": list(content)})


def load(entry):
    name, _, attribute = entry.partition(":")
    module = importlib.import_module(name)
    call = ast.parse(attribute, mode="eval").body
    if not isinstance(call, ast.Call):
        return getattr(module, attribute)
    arguments = [ast.literal_eval(each) for each in call.args]
    keywords = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
    return getattr(module, call.func.id)(*arguments, **keywords)


def list_routes(app, prefix, depth=8):
    if depth and type(app).__module__.startswith("django."):
        import django.urls

        list_django(django.urls.get_resolver().url_patterns, prefix or "/")
    elif depth and hasattr(app, "url_map") and hasattr(app, "wsgi_app"):
        inner = app.wsgi_app
        if getattr(inner, "__self__", None) is app:
            list_rules(app, prefix)
        else:
            list_routes(inner, prefix, depth - 1)
    elif depth and hasattr(getattr(app, "__self__", None), "url_map"):
        list_rules(app.__self__, prefix)
    elif depth and hasattr(app, "mounts") and hasattr(app, "app"):
        for path, other in app.mounts.items():
            list_routes(other, prefix + path, depth - 1)
        list_routes(app.app, prefix, depth - 1)
    elif depth and type(app).__module__.startswith("sanic."):
        list_sanic(app, prefix)
    elif depth and isinstance(getattr(app, "routes", None), (list, tuple)):
        list_starlette(app, prefix, depth)
    else:
        inner = next(
            (getattr(app, name) for name in ("app", "wsgi_app", "application", "server") if hasattr(app, name)), None
        )
        if depth and inner is not None:
            list_routes(inner, prefix, depth - 1)
        else:
            unknown.append(type(app).__name__)


def list_rules(app, prefix):
    for rule in app.url_map.iter_rules():
        add(prefix + rule.rule, set(rule.methods or ()) - {"HEAD", "OPTIONS"})


def list_sanic(app, prefix):
    """https://sanic.dev/en/guide/basics/routing.html; blueprints have put their routes there as well."""
    for route in app.router.routes_all.values():
        if getattr(route, "requirements", None):  # a host, for example
            unknown.append(route.path)
        add(prefix + "/" + route.path.lstrip("/"), set(route.methods) - {"HEAD", "OPTIONS"})


def list_starlette(app, prefix, depth, contents=None):
    """contents: of the app that documents the routes, if `app` is a router of it."""
    contents = documented_bodies(app, prefix) if contents is None else contents
    for route in app.routes:
        path = getattr(route, "path", "")
        if type(route).__name__ in ("Mount", "Host"):
            inner = route if getattr(route, "routes", None) else getattr(route, "app", None)
            if type(inner).__name__ == "StaticFiles":
                continue
            if inner is route and not hasattr(route.app, "openapi"):
                list_starlette(route, prefix + path, depth - 1, contents)
            else:
                list_routes(route.app, prefix + path, depth - 1)
        elif hasattr(route, "original_router") and depth:  # FastAPI 0.165 keeps an included router as one object
            inner = prefix + getattr(route.include_context, "prefix", "")
            list_starlette(route.original_router, inner, depth - 1, contents)
        elif getattr(route, "methods", None):
            add(prefix + path, set(route.methods) - {"HEAD"}, contents.get(prefix + path, ()))
        elif not path:
            unknown.append(type(route).__name__)


def documented_bodies(app, prefix):
    """The media types that FastAPI documents for the body of a POST, by whole path."""
    bodies = {}
    try:
        for path, operations in app.openapi()["paths"].items():
            bodies[prefix + path] = list(operations.get("post", {}).get("requestBody", {}).get("content", {}))
    except Exception:
        return {}
    return bodies


def list_django(patterns, prefix):
    for each in patterns:
        text = getattr(each.pattern, "_route", None)
        if text is None:
            text = str(each.pattern).lstrip("^").rstrip("$")
            if any(char in text for char in "\\()[]?*+|"):
                unknown.append(text)
                continue
        below = getattr(each, "url_patterns", None)
        if below is not None:
            list_django(below, prefix + text)
        else:
            add(prefix + text, {"GET", "POST"})


def main():
    sys.path[0] = os.getcwd()
    sys.argv = ["app"]
    problem = ""
    try:
        list_routes(load(ENTRY), "")
    except BaseException as error:
        problem = traceback.format_exception_only(type(error), error)[-1].strip()
    output.write("\n" + json.dumps({"routes": routes, "unknown": unknown, "problem": problem}) + "\n")
    output.flush()
    os._exit(0)  # threads of the app may go on


ENTRY = sys.argv[-1]
main()
