"""Sends one request to the server of a model. The text of this file runs inside the container.

mldeploy never imports it. It needs Python 3.9 and the package mldeploy_model. Arguments: the description of the models,
the path of the request, and its JSON. The output is one JSON object: the status, and the answer.
"""

# ruff: noqa: PLC0415, PTH109, PTH123, S108 - it runs alone, in a container whose /tmp is its own
# mypy: ignore-errors

import io
import json
import os
import sys

output = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # keep prints of libraries out of the output


def main():
    models, path, body = sys.argv[1:4]
    with open("/tmp/models.json", "w", encoding="utf-8") as file:
        file.write(models)
    os.environ["MLDEPLOY_MODELS"] = "/tmp/models.json"
    sys.path[0] = os.getcwd()
    from mldeploy_model.server import app

    content = body.encode()
    heads = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": True,
    }
    answer = b"".join(app(environ, lambda status, *_: heads.append(status)))
    output.write(json.dumps({"status": int(heads[0].split()[0]), "answer": answer.decode()}) + "\n")
    output.flush()


main()
