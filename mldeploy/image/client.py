"""The HTTP client of a running app: its health, its predictions, its golden row."""

from __future__ import annotations

import html
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from pathlib import Path
from ssl import SSLCertVerificationError
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import RequestException, Timeout
from urllib3.exceptions import NewConnectionError

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.project.golden import Golden, Json, compare, load_golden

HEALTH_SECONDS = 3.0
PREDICT_SECONDS = 60.0
LINE_LENGTH = 200
UNSPOKEN = (RemoteDisconnected, IncompleteRead)
_PARAGRAPH = re.compile(r"<p\b[^>]*>(.*?)</p>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


class Silence(Enum):
    """How an app does not answer."""

    REFUSED = "nothing accepts connections there"
    CUT = "the connection was closed without an answer"
    LATE = "no answer in time"
    GARBLED = "what answers does not speak HTTP"
    UNTRUSTED = "its certificate is not trusted"


class AnswerError(MldeployError):
    """A running app did not answer as it should.

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


class SilentError(AnswerError):
    """A running app did not answer at all."""

    def __init__(self, where: str, silence: Silence, detail: str = "") -> None:
        super().__init__(where, f"{silence.value} ({detail})" if detail else silence.value, "See `mldeploy status`.")
        self.silence = silence


class GoldenError(AnswerError):
    """The app answers, but not what the golden row expects. difference: the first one, with its place."""

    def __init__(self, where: str, difference: str) -> None:
        todo = (
            "If the model has changed on purpose, correct the golden row; if not, the model or its libraries are wrong."
        )
        super().__init__(where, f"the golden row differs: {difference}", todo)
        self.difference = difference


class AppClient:
    """Talks to one running app at a base URL such as `http://127.0.0.1:5000`. Not to be shared between threads.

    Proxies of the environment are used only for addresses that are neither on this machine nor on its private networks.
    """

    def __init__(self, url: str, trust: Path | None = None) -> None:
        """`trust`: a PEM file with the authorities that certify it, where that are not the usual ones."""
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = not _is_near(url)
        if trust:
            self._session.trust_env = False  # or a bundle that the environment names would be trusted instead
            self._session.verify = str(trust)
        # A connection that is kept would hold up an old version that is told to stop, and hide a new one.
        self._session.headers["Connection"] = "close"

    def health(self, path: str, *, within: float = HEALTH_SECONDS) -> None:
        """Ask for the health; return if the answer is a 2xx. Raises SilentError or AnswerError."""
        with self._request("GET", path, None, within) as response:
            self._check(response)

    def predict(self, path: str, payload: Json, *, within: float = PREDICT_SECONDS) -> Json:
        """POST a JSON document and return the one that is answered. Raises SilentError or AnswerError."""
        with self._request("POST", path, payload, within) as response:
            self._check(response)
            try:
                answer: Json = response.json()
            except ValueError as error:
                what = f"the answer is not JSON: {_first_line(response)}"
                raise _answer_error(response, what, "Let that path answer JSON.") from error
            return answer

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _request(self, method: str, path: str, payload: Json, within: float) -> requests.Response:
        url = self.url + path
        try:
            # Not a redirect is followed: a health path that leads to a login page is not healthy.
            return self._session.request(method, url, json=payload, timeout=within, allow_redirects=False)
        except Timeout as error:
            raise SilentError(url, Silence.LATE, f"{within:g} s") from error
        except RequestsConnectionError as error:
            raise SilentError(url, _silence(error)) from error
        except RequestException as error:
            raise SilentError(url, Silence.GARBLED, type(error).__name__) from error

    def _check(self, response: requests.Response) -> None:
        if 200 <= response.status_code < 300:
            return
        line = _first_line(response)
        what = f"answers {response.status_code} {response.reason}".rstrip()
        if location := response.headers.get("Location", ""):
            what += f", to {urljoin(response.url, location)}"
        raise _answer_error(response, f"{what}: {line}" if line else what, _todo(response))


def _todo(response: requests.Response) -> str:
    if response.status_code in {404, 405} and response.request.method == "POST":
        return "Name the route that takes it: `predict`, or for tables `predict_table`, in [app] of mldeploy.toml."
    return "Correct what is sent." if 400 <= response.status_code < 500 else "See `mldeploy logs`."


@dataclass(frozen=True)
class GoldenRow:
    """The golden row, read and checked, ready to be asked."""

    golden: Golden

    @classmethod
    def load(cls, file: Path) -> Self:
        """Raises ProjectError."""
        return cls(load_golden(file))

    @property
    def path(self) -> str:
        """Where it is asked."""
        return self.golden.path

    def ask(self, app: AppClient, *, within: float = PREDICT_SECONDS) -> None:
        """Raises GoldenError if the answer differs, SilentError or AnswerError if there is none."""
        difference = compare(self.golden, app.predict(self.path, self.golden.request, within=within))
        if difference:
            raise GoldenError(app.url + self.path, difference)


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
    text = response.text
    if "html" in response.headers.get("Content-Type", "") and (paragraph := _PARAGRAPH.search(text)):
        text = " ".join(html.unescape(_TAG.sub("", paragraph[1])).split())
    line = next(filter(None, (line.strip() for line in text.splitlines())), "")
    return line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]}…"


def _silence(error: RequestsConnectionError) -> Silence:
    causes = list(_causes(error))
    if any(isinstance(cause, SSLCertVerificationError) for cause in causes):
        return Silence.UNTRUSTED
    if any(isinstance(cause, NewConnectionError) for cause in causes):
        return Silence.REFUSED
    if any(isinstance(cause, HTTPException) and not isinstance(cause, UNSPOKEN) for cause in causes):
        return Silence.GARBLED
    return Silence.CUT


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_near(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
