"""The options of the servers of Python apps: which take a value, and which say where the server listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Server(StrEnum):
    """The program that a command starts."""

    GUNICORN = "gunicorn"
    UVICORN = "uvicorn"
    HYPERCORN = "hypercorn"
    DAPHNE = "daphne"
    WAITRESS = "waitress-serve"
    UWSGI = "uwsgi"
    GRANIAN = "granian"
    FLASK = "flask"
    QUART = "quart"
    FASTAPI = "fastapi"
    DJANGO = "manage.py"
    STREAMLIT = "streamlit"
    GRADIO = "gradio"
    CHAINLIT = "chainlit"
    PANEL = "panel"
    BENTOML = "bentoml"
    MLFLOW = "mlflow"
    PYTHON = "python"


DEVELOPMENT = frozenset({Server.FLASK, Server.QUART, Server.DJANGO, Server.PYTHON})
"""What serves one developer, not the public. (A script that Python runs may start a real server itself.)"""


@dataclass(frozen=True)
class ServerOptions:
    """The command line of a server.

    valued: options that take the next word. bind: those of them that hold an address. host, port, sockets: those that
    hold a part of one, and the path of a Unix socket. verbs: the sub-commands that serve; () if there are none.
    listens: where it listens if nothing is set. variables: of the environment, for host and port. target: options that
    name the app. folder: options that name the folder to start in, and imports: those that name a folder to import
    from. dotted: every option with a dot takes a value.
    """

    valued: frozenset[str]
    bind: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    port: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    verbs: tuple[tuple[str, ...], ...] = ()
    listens: tuple[str, int] = ("127.0.0.1", 8000)
    variables: tuple[str, str] = ("", "")
    target: tuple[str, ...] = ()
    folder: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    dotted: bool = False
    every: frozenset[str] = field(init=False)
    """All options that take a value."""

    def __post_init__(self) -> None:
        named = (*self.bind, *self.host, *self.port, *self.sockets, *self.target, *self.folder, *self.imports)
        object.__setattr__(self, "every", self.valued | set(named))

    def takes_value(self, option: str) -> bool:
        """Whether an option takes the next word."""
        return option in self.every or (self.dotted and "." in option)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ALL = "0.0.0.0"  # noqa: S104 - where some servers listen by themselves
_WERKZEUG = ServerOptions(
    _names("-e --env-file --cert --key --extra-files --exclude-patterns"),
    host=("--host", "-h"),
    port=("--port", "-p"),
    target=("--app", "-A"),
    verbs=(("run",),),
    listens=("127.0.0.1", 5000),
    variables=("FLASK_RUN_HOST", "FLASK_RUN_PORT"),
)

OPTIONS: Final[Mapping[Server, ServerOptions]] = {
    Server.GUNICORN: ServerOptions(
        _names("-c --config -w --workers -k --worker-class -t --timeout --threads -n --name -p --pid -e --env -u --user"
            " -g --group -m --umask --access-logfile --access-logformat --error-logfile --log-file --log-level"
            " --log-config --log-config-json --log-syslog-to --log-syslog-prefix --log-syslog-facility --logger-class"
            " --backlog --ca-certs --certfile --keyfile --cert-reqs --ciphers --ssl-version --dogstatsd-tags"
            " --statsd-host --statsd-prefix --forwarded-allow-ips --forwarder-headers --graceful-timeout --keep-alive"
            " --header-map --limit-request-field_size --limit-request-fields --limit-request-line --max-requests"
            " --max-requests-jitter --paste --paster --paste-global --proxy-allow-from --reload-engine"
            " --reload-extra-file --root-path --worker-connections --worker-tmp-dir --asgi-loop --asgi-lifespan"
            " --asgi-disconnect-grace-period --control-socket --control-socket-mode --dirty-app"
            " --dirty-graceful-timeout --dirty-threads --dirty-timeout --dirty-workers --http-parser --http-protocols"
            " --http2-cleartext --http2-initial-window-size --http2-max-concurrent-streams --http2-max-frame-size"
            " --http2-max-header-list-size --protocol --uwsgi-allow-from --websocket-max-message-size"),
        bind=("-b", "--bind"),
        folder=("--chdir",),
        imports=("--pythonpath",),
    ),
    Server.UVICORN: ServerOptions(
        _names("--backlog --env-file --fd --forwarded-allow-ips --h11-max-incomplete-event-size --header --http"
            " --interface --lifespan --limit-concurrency --limit-max-requests --limit-max-requests-jitter --log-config"
            " --log-level --loop --reload-delay --reload-dir --reload-exclude --reload-include --root-path"
            " --ssl-ca-certs --ssl-cert-reqs --ssl-certfile --ssl-ciphers --ssl-keyfile --ssl-keyfile-password"
            " --ssl-version --timeout-graceful-shutdown --timeout-keep-alive --timeout-worker-healthcheck"
            " --workers --ws"
            " --ws-max-queue --ws-max-size --ws-per-message-deflate --ws-ping-interval --ws-ping-timeout"),
        host=("--host",),
        port=("--port",),
        sockets=("--uds",),
        imports=("--app-dir",),
        variables=("UVICORN_HOST", "UVICORN_PORT"),
    ),
    Server.HYPERCORN: ServerOptions(
        _names("--access-log --access-logfile --access-logformat --backlog --ca-certs --certfile"
        " --cert-reqs --ciphers -c"
            " --config --error-log --error-logfile --graceful-timeout --read-timeout -g --group -k --worker-class"
            " --keep-alive --keyfile --keyfile-password --insecure-bind --log-config --log-level --max-requests"
            " --max-requests-jitter -p --pid --quic-bind --root-path --server-name --statsd-host --statsd-prefix -m"
            " --umask -u --user --verify-mode --websocket-ping-interval -w --workers"),
        bind=("-b", "--bind"),
    ),
    Server.DAPHNE: ServerOptions(
        _names("--websocket_timeout --websocket_connect_timeout --fd -e --endpoint -v --verbosity -t --http-timeout"
            " --access-log --log-fmt --ping-interval --ping-timeout --application-close-timeout --root-path"
            " --proxy-headers-host --proxy-headers-port -s --server-name --ws-protocol"),
        host=("-b", "--bind"),
        port=("-p", "--port"),
        sockets=("-u", "--unix-socket"),
    ),
    Server.WAITRESS: ServerOptions(
        _names("--threads --trusted-proxy --trusted-proxy-count --trusted-proxy-headers --url-scheme"
        " --url-prefix --ident"
            " --backlog --recv-bytes --send-bytes --outbuf-overflow --outbuf-high-watermark --inbuf-overflow"
            " --connection-limit --cleanup-interval --channel-timeout --max-request-header-size"
            " --max-request-body-size --asyncore-loop-timeout --unix-socket-perms --channel-request-lookahead"
            " --server-name"),
        bind=("--listen",),
        host=("--host",),
        port=("--port",),
        sockets=("--unix-socket",),
        target=("--app",),
        listens=(_ALL, 8080),
    ),
    Server.UWSGI: ServerOptions(
        _names("--ini --yaml --json --xml --callable --mount -p --processes --workers --threads --stats --uid --gid"
            " --virtualenv -H --home --env --static-map --harakiri --max-requests --buffer-size --logto --pidfile"
            " --plugin --plugins --pyargv --chmod-socket --cheaper --listen -l --http-timeout --lazy-apps-num"
            " --touch-reload --pymodule-alias --route --need-app-num"),
        bind=("--http", "--http-socket", "--https", "-s", "--socket", "--uwsgi-socket"),
        target=("-w", "--module", "--wsgi-file", "--file"),
        folder=("--chdir", "--chdir2"),
        imports=("--pythonpath", "--python-path", "--pp"),
        listens=(_ALL, 8080),
    ),
    Server.GRANIAN: ServerOptions(
        _names("--uds-permissions --interface --http --workers --blocking-threads --blocking-threads-idle-timeout"
            " --runtime-threads --runtime-blocking-threads --runtime-mode --loop --task-impl --backlog --backpressure"
            " --http1-buffer-size --http1-header-read-timeout --http2-max-concurrent-streams --log-level --log-config"
            " --access-log-fmt --ssl-certificate --ssl-keyfile --ssl-keyfile-password --ssl-protocol-min --ssl-ca"
            " --ssl-crl --url-path-prefix --respawn-interval --workers-lifetime --workers-kill-timeout"
            " --workers-max-rss --static-path-route --static-path-mount --static-path-expires --reload-paths"
            " --reload-ignore-dirs --reload-ignore-patterns --reload-ignore-paths --reload-tick --process-name"
            " --pid-file --env-files --threads --threading-mode --metrics-address --metrics-port"),
        host=("--host",),
        port=("--port",),
        sockets=("--uds",),
        folder=("--working-dir",),
        variables=("GRANIAN_HOST", "GRANIAN_PORT"),
    ),
    Server.FLASK: _WERKZEUG,
    Server.QUART: _WERKZEUG,
    Server.FASTAPI: ServerOptions(
        _names("--app -e --entrypoint --root-path --workers --reload-dir --forwarded-allow-ips"),
        host=("--host",),
        port=("--port",),
        verbs=(("run",), ("dev",)),
        listens=(_ALL, 8000),
    ),
    Server.DJANGO: ServerOptions(
        _names("--settings -v --verbosity"), bind=("--bind",), imports=("--pythonpath",)
    ),
    Server.STREAMLIT: ServerOptions(
        frozenset(),
        host=("--server.address",),
        port=("--server.port",),
        verbs=(("run",),),
        listens=(_ALL, 8501),
        dotted=True,
        variables=("STREAMLIT_SERVER_ADDRESS", "STREAMLIT_SERVER_PORT"),
    ),
    Server.GRADIO: ServerOptions(
        _names("--demo-name --watch-dirs --watch-library --encoding"),
        listens=("127.0.0.1", 7860),
        variables=("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT")
    ),
    Server.CHAINLIT: ServerOptions(
        _names("--root-path --ssl-cert --ssl-key"),
        host=("--host",),
        port=("--port",),
        verbs=(("run",),),
        variables=("CHAINLIT_HOST", "CHAINLIT_PORT")
    ),
    Server.PANEL: ServerOptions(
        _names("--allow-websocket-origin --prefix --index --log-level --log-format --log-file --args --num-procs"
            " --num-threads --session-token-expiration --static-dirs --basic-auth --oauth-provider --oauth-key"
            " --oauth-secret --cookie-secret --keep-alive --check-unused-sessions --unused-session-lifetime --setup"
            " --plugins --admin-endpoint --liveness-endpoint"),
        host=("--address",),
        port=("--port",),
        sockets=("--unix-socket",),
        verbs=(("serve",),),
        listens=("127.0.0.1", 5006),
    ),
    Server.BENTOML: ServerOptions(
        _names("--api-workers --timeout --backlog --ssl-certfile --ssl-keyfile --arg --arg-file"),
        host=("--host",),
        port=("-p", "--port"),
        folder=("--working-dir",),
        verbs=(("serve",), ("serve-http",)),
        listens=(_ALL, 3000),
        variables=("BENTOML_HOST", "BENTOML_PORT"),
    ),
    Server.MLFLOW: ServerOptions(
        _names("-m --model-uri -w --workers -t --timeout --env-manager --backend-store-uri --default-artifact-root"
            " --artifacts-destination --gunicorn-opts --uvicorn-opts --app-name --static-prefix --allowed-hosts"),
        host=("-h", "--host"),
        port=("-p", "--port"),
        verbs=(("models", "serve"), ("server",), ("ui",)),
        listens=("127.0.0.1", 5000),
    ),
    Server.PYTHON: ServerOptions(frozenset()),
}  # fmt: skip
"""From their `--help`, in November 2026; gunicorn's, uvicorn's and Flask's are compared with theirs by a test."""

PROGRAMS: Final = {
    **{server.value: server for server in Server if server is not Server.PYTHON},
    "waitress": Server.WAITRESS,
    "gunicorn3": Server.GUNICORN,
    "uwsgi_python3": Server.UWSGI,
}
"""The names under which servers are started, as a program or with `python -m`."""
