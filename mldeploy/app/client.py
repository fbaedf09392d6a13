"""The HTTP client of a running app: its health, its predictions, its golden row."""

from __future__ import annotations

import html
import ipaddress
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from pathlib import Path
from ssl import SSLCertVerificationError
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, RequestException, Timeout
from requests.exceptions import ConnectionError as RequestsConnectionError
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from mldeploy.bounded_http import (
    AnswerTooLargeError,
    bounded,
    bounded_session,
    keep_body,
    read_body,
    read_json,
    read_start,
)
from mldeploy.config.access_keys import key_headers
from mldeploy.config.secret import Secret
from mldeploy.config.settings import App
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.monitor import CancelledError, Monitor
from mldeploy.core.parsing import NestingError
from mldeploy.project.golden import Golden, Json, compare_answer, load_golden

HEALTH_SECONDS = 3.0
PREDICT_SECONDS = 60.0
LINE_LENGTH = 200
ANSWER_LIMIT = 64 << 20
"""Bytes of a prediction, unpacked."""
PAGE_LIMIT = 1 << 14
"""Bytes of a page of which a line is shown."""
LATE = (TimeoutError, ReadTimeoutError)
UNSPOKEN = (RemoteDisconnected, IncompleteRead)
_PARAGRAPH = re.compile(r"<p\b[^>]*>(.*?)</p>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


class NoAnswer(Enum):
    """Why an app does not answer."""

    REFUSED = "nothing accepts connections there"
    CUT = "the connection was closed without an answer"
    LATE = "no answer in time"
    LARGE = "the answer is too large"
    GARBLED = "what answers does not speak HTTP"
    UNTRUSTED = "its certificate is not trusted"


class AnswerError(MldeployError):
    """A running app returned an error or an unexpected answer.

    status: the HTTP status, 0 if there was no answer. location: where a redirect leads. line: the body's first line.
    """

    code = ExitCode.REMOTE

    def __init__(
        self, where: str, what: str, todo: str = "", *, status: int = 0, location: str = "", line: str = ""
    ) -> None:
        super().__init__(where, what, todo)
        self.status = status
        self.location = location
        self.line = line


class NoAnswerError(AnswerError):
    """A running app did not answer at all."""

    def __init__(self, where: str, silence: NoAnswer, detail: str = "") -> None:
        super().__init__(where, f"{silence.value} ({detail})" if detail else silence.value, "See `mldeploy status`.")
        self.silence = silence


class GoldenError(AnswerError):
    """The app's answer differs from the golden row. difference: the first one, with its path."""

    def __init__(self, where: str, difference: str) -> None:
        todo = (
            "If the model has changed on purpose, correct the golden row; if not, the model or its libraries are wrong."
        )
        super().__init__(where, f"the golden row differs: {difference}", todo)
        self.difference = difference


class AppClient:
    """The client of one app at a base URL such as `http://127.0.0.1:5000`. Not thread-safe.

    Proxies of the environment are used only for addresses that are neither on this machine nor on its private networks.
    """

    def __init__(
        self,
        url: str,
        trust: Path | None = None,
        monitor: Monitor | None = None,
        headers: Iterable[tuple[str, Secret]] = (),
        host: str = "",
    ) -> None:
        """`trust`: a PEM file with the authorities that certify it, where that are not the usual ones.

        headers: sent with each request.
        host: the host name of the request and of the certificate, if the URL names another one.
        monitor: of the step that asks. When the user wants to stop, its calls raise CancelledError at once.
        """
        self.url = url.rstrip("/")
        self._monitor = monitor
        self._session = bounded_session()
        self._session.trust_env = not _is_near(url)
        if trust:
            self._session.trust_env = False  # or a bundle that the environment names would be trusted instead
            self._session.verify = str(trust)
        # A persistent connection would delay the stop of an old version and hide a new one.
        self._session.headers["Connection"] = "close"
        if host:
            self._session.headers["Host"] = host
            adapter = self._session.get_adapter("https://")
            assert isinstance(adapter, HTTPAdapter)  # noqa: S101 - `bounded_session` mounts it
            adapter.init_poolmanager(1, 1, server_hostname=host)
        self._add_headers(headers)

    def _add_headers(self, headers: Iterable[tuple[str, Secret]]) -> None:
        for name, value in headers:
            self._session.headers[name] = value.reveal()

    def health(self, path: str, *, within: float = HEALTH_SECONDS) -> None:
        """Ask for the health; return if the answer is a 2xx whose body, or its beginning, is there `within` seconds.

        Raises NoAnswerError, AnswerError, CancelledError.
        """
        self._check(self._request("GET", path, None, within, PAGE_LIMIT))

    def get_json(self, path: str, *, within: float) -> Json:
        """GET a JSON document. Raises NoAnswerError, AnswerError, CancelledError, ValueError if it is none."""
        response = self._request("GET", path, None, within)
        self._check(response)
        return cast("Json", read_json(response))

    def predict(
        self,
        path: str,
        payload: Json,
        *,
        within: float = PREDICT_SECONDS,
        headers: Iterable[tuple[str, Secret]] = (),
    ) -> Json:
        """POST a JSON document and return the one that is answered, which has to be there `within` seconds.

        headers: of this and the following requests. Where only GET is allowed, the fields of a flat object are sent as
        a query, and a text is an answer, too. Raises NoAnswerError, AnswerError, CancelledError.
        """
        self._add_headers(headers)
        response = self._request("POST", path, payload, within)
        if response.status_code == METHOD_NOT_ALLOWED and _takes_query(response, payload):
            return self._get_page(path, payload, within)
        self._check(response)
        try:
            return cast("Json", read_json(response))
        except NestingError as error:
            raise _answer_error(response, "the answer is nested too deeply", "Let it have fewer levels.") from error
        except ValueError as error:
            what = f"the answer is not JSON: {_first_line(response)}"
            raise _answer_error(response, what, "Let that path answer JSON.") from error

    def _get_page(self, path: str, payload: Json, within: float) -> Json:
        fields = payload.items() if isinstance(payload, dict) else ()
        query = urlencode([(name, value if isinstance(value, str) else json.dumps(value)) for name, value in fields])
        response = self._request("GET", f"{path}?{query}" if query else path, None, within)
        self._check(response)
        try:
            return cast("Json", read_json(response))
        except ValueError:
            return _first_line(response)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _request(self, method: str, path: str, payload: Json, within: float, start: int = 0) -> requests.Response:
        """An answer with its body; of a longer one no more than its start, if that is given (bytes)."""
        url = self.url + path
        with bounded(within, size=ANSWER_LIMIT, monitor=self._monitor) as exchange:
            try:
                # Not a redirect is followed: a health path that leads to a login page is not healthy.
                response = self._session.request(
                    method, url, json=payload, timeout=within, allow_redirects=False, stream=True
                )
                if not response.is_redirect:
                    body = read_start(response, start) if start else read_body(response, ANSWER_LIMIT)
                    keep_body(response, body)
            except RequestException as error:
                if exchange.aborted:
                    raise CancelledError from error
                raise _no_answer_error(url, within, error) from error
            return response

    def _check(self, response: requests.Response) -> None:
        if 200 <= response.status_code < 300:
            return
        line = _first_line(response)
        what = f"answers {response.status_code} {response.reason}".rstrip()
        if location := response.headers.get("Location", ""):
            what += f", to {urljoin(response.url, location)}"
        raise _answer_error(response, f"{what}: {line}" if line else what, _todo(response))


def _no_answer_error(url: str, within: float, error: RequestException) -> NoAnswerError:
    causes = list(_iterate_causes(error))
    if any(isinstance(each, AnswerTooLargeError | ConnectionAbortedError) for each in causes):
        return NoAnswerError(url, NoAnswer.LARGE, f"more than {ANSWER_LIMIT >> 20} MiB")
    if isinstance(error, Timeout) or any(isinstance(each, LATE) for each in causes):
        return NoAnswerError(url, NoAnswer.LATE, f"{within:g} s")
    if isinstance(error, RequestsConnectionError | ChunkedEncodingError):
        return NoAnswerError(url, _classify_no_answer(error))
    return NoAnswerError(url, NoAnswer.GARBLED, type(error).__name__)


def _todo(response: requests.Response) -> str:
    if response.status_code in {404, 405} and response.request.method == "POST":
        return "Name the route that takes it: `predict`, or for tables `predict_table`, in [app] of mldeploy.toml."
    if response.status_code == 401 and response.headers.get("WWW-Authenticate", "").startswith("Bearer"):
        return "Send an access key: `mldeploy keys list` names those that there are, `mldeploy keys create` makes one."
    return "Correct what is sent." if 400 <= response.status_code < 500 else "See `mldeploy logs`."


@dataclass(frozen=True)
class GoldenRow:
    """A golden row that can be sent to an app."""

    golden: Golden
    headers: tuple[tuple[str, Secret], ...] = ()
    """Sent with it: an access key."""

    @classmethod
    def load(cls, file: Path, app: App | None = None) -> Self:
        """app: whose access key is sent with it. Raises ProjectError."""
        return cls(load_golden(file), key_headers(app) if app else ())

    @property
    def path(self) -> str:
        """Its path."""
        return self.golden.path

    def check(self, app: AppClient, *, within: float = PREDICT_SECONDS) -> None:
        """Raises GoldenError if the answer differs, NoAnswerError or AnswerError if there is none."""
        answer = app.predict(self.path, self.golden.request, within=within, headers=self.headers)
        difference = compare_answer(self.golden, answer)
        if difference:
            raise GoldenError(app.url + self.path, difference)


METHOD_NOT_ALLOWED = 405


def _takes_query(response: requests.Response, payload: Json) -> bool:
    """Whether a page allows GET, and the payload's fields fit into a query."""
    allows = "GET" in response.headers.get("Allow", "").upper()
    return allows and isinstance(payload, dict) and not any(isinstance(each, dict | list) for each in payload.values())


def _answer_error(response: requests.Response, what: str, todo: str) -> AnswerError:
    return AnswerError(
        response.url,
        what,
        todo,
        status=response.status_code,
        location=response.headers.get("Location", ""),
        line=_first_line(response),
    )


def _first_line(response: requests.Response) -> str:
    """The first line of the body that says something, shortened; of a page, what its first paragraph says."""
    text = _decode(response)
    if "html" in response.headers.get("Content-Type", "") and (paragraph := _PARAGRAPH.search(text)):
        text = " ".join(html.unescape(_TAG.sub("", paragraph[1])).split())
    line = next(filter(None, (line.strip() for line in text.splitlines())), "")
    return line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]}…"


def _decode(response: requests.Response) -> str:
    """The beginning of a body; to guess the encoding of megabytes would take minutes."""
    start = response.content[:PAGE_LIMIT]
    try:
        return start.decode(response.encoding or "utf-8", errors="replace")
    except LookupError:  # an encoding that nobody knows
        return start.decode(errors="replace")


def _classify_no_answer(error: RequestException) -> NoAnswer:
    causes = list(_iterate_causes(error))
    if any(isinstance(cause, SSLCertVerificationError) for cause in causes):
        return NoAnswer.UNTRUSTED
    if any(isinstance(cause, NewConnectionError) for cause in causes):
        return NoAnswer.REFUSED
    if any(isinstance(cause, HTTPException) and not isinstance(cause, UNSPOKEN) for cause in causes):
        return NoAnswer.GARBLED
    return NoAnswer.CUT


def _iterate_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_near(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
