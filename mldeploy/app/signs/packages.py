"""Signs of packages that are missing, or do not fit together, the Python or the image."""

from __future__ import annotations

from mldeploy.app.signs.sign import PIN, PYTHON, Sign
from mldeploy.image.recipe import libraries

_OLDER_PYTHON = "the app needs an older Python than the image's: {error}"

IMPORTS = (
    Sign(
        r"(?P<error>cannot import name '(?:Callable|Iterable|Iterator|Mapping|MutableMapping|Sequence|Hashable)' "
        r"from 'collections').*",
        _OLDER_PYTHON,
        PYTHON,
    ),
    Sign(
        r"(?P<error>cannot import name '\w+' from '(?P<module>inspect|asyncio|typing|fractions|unittest|ssl)')",
        "the app is made for another Python than the image's: {error}",
        PYTHON,
    ),
    Sign(
        r"cannot import name '(?:url_quote|url_decode|url_encode)' from 'werkzeug",
        "an import fails: this version of Flask (or of an extension) needs an older Werkzeug",
        "Two packages do not fit together: pin in {requirements} `werkzeug<3` (`werkzeug<2.1` for Flask 1), or upgrade "
        "flask.",
    ),
    Sign(
        r"cannot import name '(?:escape|Markup|contextfunction)' from 'jinja2'|"
        r"cannot import name 'soft_unicode' from 'markupsafe'",
        "an import fails: this version of Flask needs an older Jinja2 and MarkupSafe",
        "Upgrade flask, or pin in {requirements} `jinja2<3.1` and `markupsafe<2.1`.",
    ),
    Sign(r"(?P<error>ImportError: cannot import name .+)", "an import fails: {error}", PIN),
)

COMPATIBILITY = (
    Sign(
        r"'Flask' object has no attribute '(?P<name>before_first_request|json_encoder|json_decoder|env)'",
        "the app is written for an older Flask: Flask 2.3 removed `{name}`",
        "Write `flask<2.3` and `werkzeug<2.3` into {requirements}, or use what replaces it.",
    ),
    Sign(
        r"unexpected keyword argument 'proxies'",
        "a package does not fit the image's httpx: httpx 0.28 removed `proxies`",
        "Write `httpx<0.28` into {requirements}, or upgrade the package that uses it (such as openai).",
    ),
    Sign(
        r"module 'gradio' has no attribute '(?P<name>inputs|outputs)'",
        "the app is written for an older Gradio: Gradio 4 removed `gradio.{name}`",
        "Write `gradio<4` into {requirements}, or use `gradio.Textbox` and the like.",
    ),
    Sign(
        r"Can't load plugin: sqlalchemy\.dialects:postgres$",
        "SQLAlchemy 1.4 and later do not know addresses that begin with `postgres://`",
        "Write `postgresql://` into the variable that holds the database's address.",
    ),
    Sign(libraries.MISSING, "the system library {library} is not in the image", "{library_remedy}"),
    Sign(
        r"numpy\.(?:dtype|ufunc|ndarray) size changed.*Expected (?:88|216) from C header, got (?:96|232)",
        "a package was compiled for a newer NumPy than the image has",
        "Pin in {requirements} a newer numpy, such as `numpy>=2`, and the versions of the packages that fit it.",
    ),
    Sign(
        r"numpy\.(?:dtype|ufunc|ndarray) size changed|compiled using NumPy 1\.x cannot be run|_ARRAY_API not found|"
        r"numpy\.core\.multiarray failed to import|module compiled against A[BP]I version",
        "a package was compiled for NumPy 1, and the image has NumPy 2",
        "Write `numpy<2` into {requirements}, or upgrade the package that was compiled for NumPy 1.",
    ),
    Sign(
        r"module 'numpy' has no attribute '(?P<name>float|int|bool|object|complex|str|long|unicode|typeDict)'",
        "the app or one of its packages uses `numpy.{name}`, which NumPy 1.24 removed",
        "Write `numpy<1.24` into {requirements}, or upgrade the package that uses it.",
    ),
    Sign(
        r"`np\.(?P<name>\w+)` was removed in the NumPy 2|"
        r"module 'numpy' has no attribute '(?P<other>float_|Inf|NaN|product|cumproduct|alltrue|sometrue|unicode_|"
        r"string_|in1d|row_stack|asfarray|find_common_type|cast|complex_|infty)'",
        "the app or one of its packages uses a name that NumPy 2 removed",
        "Write `numpy<2` into {requirements}, or upgrade the package that uses it.",
    ),
    Sign(
        r"'(?:DataFrame|Series)' object has no attribute '(?P<name>append|iteritems|mad|lookup)'|"
        r"module 'pandas' has no attribute '(?P<other>Panel|Int64Index|Float64Index|datetime)'",
        "the app uses a name that pandas 2 removed",
        "Write `pandas<2` into {requirements}, or use what replaces it: `pandas.concat`, `items`.",
    ),
    Sign(
        r"module 'PIL\.Image' has no attribute '(?P<name>ANTIALIAS|LINEAR|CUBIC)'",
        "the app uses `Image.{name}`, which Pillow 10 removed",
        "Write `pillow<10` into {requirements}, or use `Image.LANCZOS`.",
    ),
    Sign(
        r"module '(?P<module>collections|inspect|asyncio|time|cgi|html|locale|gettext|typing|ast|configparser|"
        r"unittest|pkgutil|importlib)' has no attribute '(?P<name>\w+)'",
        "the app or one of its packages uses `{module}.{name}`, which the image's Python does not have",
        PYTHON,
    ),
    Sign(
        r"Descriptors cannot (?:not )?be created directly",
        "a package was generated for an older protobuf than the image's",
        "Write `protobuf<=3.20.3` into {requirements}, or upgrade the package that needs it.",
    ),
    Sign(
        r"PydanticImportError: `?BaseSettings|`BaseSettings` has been moved",
        "the app is written for pydantic 1: `BaseSettings` has a package of its own since pydantic 2",
        "Add `pydantic-settings` to {requirements} and import it from there, or write `pydantic<2`.",
    ),
    Sign(
        r"(?P<error>PydanticUserError: .+|`regex` is removed.+)",
        "the app is written for another version of pydantic: {error}",
        "Pin in {requirements} the pydantic that the app was written with, such as `pydantic<2`.",
    ),
    Sign(
        r"version `(?P<library>GLIBC(?:XX)?_[\d.]+)' not found",
        "a library needs {library}, which the base image is too old for",
        "Choose a newer base image: `base_image` in [build] of mldeploy.toml.",
    ),
    Sign(
        r"(?P<error>TypeError: (?:'(?:type|ABCMeta)' object is not subscriptable|"
        r"unsupported operand type\(s\) for \|: '(?:type|NoneType|_GenericAlias)'.*))",
        "the app is written for a newer Python than the image's: {error}",
        PYTHON,
    ),
    Sign(
        r"(?P<error>SyntaxError: .+|IndentationError: .+|TabError: .+)",
        "a file of the app is not valid for the image's Python: {error}",
        "Correct it, or choose the Python that the app was written for with `base_image` in [build] of mldeploy.toml.",
    ),
)

OPTIONAL = (
    Sign(
        r"^\w*(?:Error|Exception): `?(?P<package>[a-z][\w.-]+)`? (?:must be|is required to be|needs to be) installed",
        "a package needs {package}, which is not in the image",
        "Add `{package}` to {requirements}.",
    ),
    Sign(
        r"(?:The )?\S+ module requires the (?P<package>[a-z][\w.-]+) package to be installed",
        "a package needs {package}, which is not in the image",
        "Add `{package}` to {requirements}.",
    ),
    Sign(
        r"No time zone found with key|ZoneInfoNotFoundError",
        "the image has no table of time zones",
        "Add `tzdata` to {requirements}.",
    ),
    Sign(
        r"Missing optional dependency '(?P<package>[\w.-]+)'",
        "a package needs {package}, which is not in the image",
        "Add `{package}` to {requirements}.",
    ),
    Sign(
        r"(?i)requires [\"'`]?(?P<package>[a-z][\w.-]+(?:\[\w+\])?)[\"'`]? to be installed",
        "a package needs {package}, which is not in the image",
        "Add `{package}` to {requirements}.",
    ),
    Sign(
        r"tried using: '(?P<package>[\w-]+)'",
        "pandas needs {package} (or another of the packages that the message names) for this file",
        "Add `{package}` to {requirements}.",
    ),
    Sign(
        r"(?:Error|Exception): .*?(?i:python3? -m )?(?i:pip) install (?:-\S+ )*[\"'`]?"
        r"(?P<package>[A-Za-z][\w.-]*(?:\[[\w,-]+\])?)",
        "a package needs {package}, which is not in the image",
        "Add `{package}` to {requirements}.",
    ),
    Sign(
        r"class uri '?(?P<module>[\w.:]+)'? invalid or not found",
        "gunicorn's worker class {module} is not in the image",
        "Add the package of the worker class to {requirements}: `gevent`, `eventlet` or `uvicorn`.",
    ),
    Sign(
        r"worker requires (?P<package>gevent|eventlet|tornado|uvicorn)",
        "gunicorn's worker class needs {package}, which is not in the image",
        "Add `{package}` to {requirements}.",
    ),
)
