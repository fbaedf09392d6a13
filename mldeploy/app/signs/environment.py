"""Signs of environment variables and services that the app needs and does not have."""

from __future__ import annotations

from mldeploy.app.signs.sign import Sign

SET = "Set it in [app.env] of mldeploy.toml, or in the file that `env_file` names."
_CAUSE = "the environment variable {name} is not set"

VARIABLES = (
    Sign(
        r"no \$DISPLAY|requires the '?\w+'? interactive framework|[Cc]annot connect to X server|"
        r"could not connect to display|Can't connect to display",
        "the app wants a screen, which a container does not have",
        'Draw without one: `MPLBACKEND = "Agg"` in [app.env] of mldeploy.toml for Matplotlib, opencv-python-headless '
        "for OpenCV.",
    ),
    Sign(r"(?:UndefinedValueError: )(?P<name>\w+) not found", _CAUSE, SET),
    Sign(r"Config '(?P<name>\w+)' is missing, and has no default", _CAUSE, SET),
    Sign(r"(?i)environment variable:? [\"'`](?P<name>\w+)[\"'`]", _CAUSE, SET),
    Sign(r"(?i:environment variable:? )[\"'`]?(?P<name>[A-Z][A-Z0-9_]{2,})\b", _CAUSE, SET),
    Sign(
        r"\b(?P<name>[A-Z][A-Z0-9]*_[A-Z0-9_]+|[A-Z]{3,})[\"'`]? (?i:(?:environment|env)[ .]?(?:variable|var))",
        _CAUSE,
        SET,
    ),
    Sign(
        r"settings are not configured|(?:The )?SECRET_KEY setting must not be empty",
        "Django's settings are not set: DJANGO_SETTINGS_MODULE or SECRET_KEY is missing",
        SET.replace("Set it", "Set them"),
    ),
    Sign(
        r"st\.secrets has no key [\"'](?P<name>[^\"']+)|No secrets (?:files )?found",
        "Streamlit's secrets are not in the image, which is right: they stay out of it",
        "Read the value from an environment variable (`os.environ`), and set that in [app.env] of mldeploy.toml.",
    ),
)

SERVICES = (
    Sign(
        r"Unable to locate credentials|DefaultCredentialsError|DefaultAzureCredential failed to retrieve a token",
        "the app has no credentials for the cloud that it calls",
        "Give the app a role where it is deployed, or put the variables that hold them into the file that `env_file` "
        "names.",
    ),
    Sign(
        r"\[Errno 111\] Connection refused|Connection refused|ConnectionRefusedError|ServerSelectionTimeoutError",
        "a service that the app needs does not answer: the connection is refused",
        "Start the service, and name its address in [app.env] of mldeploy.toml: in a container, localhost is the "
        "container itself.",
    ),
    Sign(
        r"Name or service not known|Temporary failure in name resolution|getaddrinfo failed|NameResolutionError|"
        r"No address associated with hostname|could not translate host name",
        "a service that the app needs cannot be reached: its host name is unknown in the container",
        "Correct the name in [app.env] of mldeploy.toml, or give the container access to the network.",
    ),
    Sign(
        r"Network is unreachable|No route to host",
        "a service that the app needs cannot be reached from the container",
        "Give the container access to the network, or put what the app downloads into the image.",
    ),
    Sign(
        r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError",
        "the app does not trust the certificate of a service",
        "Give the app the authority: put its certificate into the folder and set `SSL_CERT_FILE` and "
        "`REQUESTS_CA_BUNDLE` in [app.env] of mldeploy.toml.",
    ),
)
