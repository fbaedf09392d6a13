"""Signs of files and programs that are missing, not readable or not writable."""

from __future__ import annotations

from mldeploy.app.signs.sign import Sign

_EXCLUDED = "Check that .dockerignore does not exclude it, and open it relative to the app's own file."
_WRITE = "Write below /tmp, or set `read_only = false` in [app] of mldeploy.toml."

PROGRAMS = {
    "avconv": "ffmpeg", "chromedriver": "chromium-driver", "convert": "imagemagick", "curl": "curl",
    "dot": "graphviz", "espeak": "espeak-ng", "exiftool": "libimage-exiftool-perl", "ffmpeg": "ffmpeg",
    "ffprobe": "ffmpeg", "flac": "flac", "git": "git", "gs": "ghostscript", "java": "default-jre-headless",
    "libreoffice": "libreoffice", "magick": "imagemagick", "node": "nodejs", "pandoc": "pandoc",
    "pdfinfo": "poppler-utils", "pdftocairo": "poppler-utils", "pdftoppm": "poppler-utils",
    "pdftotext": "poppler-utils", "ps": "procps", "Rscript": "r-base-core", "soffice": "libreoffice", "sox": "sox",
    "tesseract": "tesseract-ocr", "unzip": "unzip", "wget": "wget", "wkhtmltoimage": "wkhtmltopdf",
    "wkhtmltopdf": "wkhtmltopdf", "xdg-open": "xdg-utils", "zbarimg": "zbar-tools",
}  # fmt: skip
"""Debian's packages by the programs that Python packages start. To add one, add a line."""

_ADD = 'Add it: `system_packages = ["{debian}"]` in [build] of mldeploy.toml.'
_NAMES = "|".join(sorted(PROGRAMS, key=len, reverse=True))

MISSING_PROGRAMS = (
    Sign(
        rf"No such file or directory: '(?:/usr/(?:local/)?bin/)?(?P<program>{_NAMES})'",
        "the program {program} is not in the image",
        _ADD,
    ),
    Sign(
        rf"(?:^|[\s'\"(])(?P<program>{_NAMES}|poppler|[Gg]raphviz)[\s'\")]+(?:is not installed|not installed|"
        r"(?:was )?not found|executables? (?:was )?not found|command not found|is not available)",
        "the program {program} is not in the image",
        _ADD,
    ),
    Sign(
        rf"(?:sh|bash)(?:: line)?: \d+: (?P<program>{_NAMES}): (?:command )?not found",
        "the program {program} is not in the image",
        _ADD,
    ),
    Sign(
        r"(?:Is poppler installed|PDFInfoNotInstalledError|(?P<program>poppler) (?:is not )?installed)",
        "the program pdftoppm of poppler is not in the image",
        'Add it: `system_packages = ["poppler-utils"]` in [build] of mldeploy.toml.',
    ),
    Sign(
        r"(?:make sure the Graphviz executables|\"dot\" not found in path)",
        "the program dot of Graphviz is not in the image",
        'Add it: `system_packages = ["graphviz"]` in [build] of mldeploy.toml.',
    ),
    Sign(
        r"(?i)Couldn't find (?:ffmpeg|ffprobe)|no ffmpeg exe|ffmpeg not found|RuntimeError: .*\bffmpeg\b.*install",
        "the program ffmpeg is not in the image",
        'Add it: `system_packages = ["ffmpeg"]` in [build] of mldeploy.toml.',
    ),
    Sign(
        r"sndfile library not found",
        "the system library libsndfile.so is not in the image",
        'Add it: `system_packages = ["libsndfile1"]` in [build] of mldeploy.toml.',
    ),
    Sign(
        r"JAVA_HOME is not set|JVMNotFoundException|Java gateway process exited|No JVM shared library",
        "a Java runtime is not in the image",
        'Add it: `system_packages = ["default-jre-headless"]` in [build] of mldeploy.toml.',
    ),
    Sign(
        r"No wkhtmltopdf executable found",
        "the program wkhtmltopdf is not in the image",
        'Add it: `system_packages = ["wkhtmltopdf"]` in [build] of mldeploy.toml.',
    ),
    Sign(
        r"Bad git executable",
        "the program git is not in the image",
        'Add it: `system_packages = ["git"]` in [build] of mldeploy.toml.',
    ),
)

FILES = (
    Sign(
        r"sqlite3?\.OperationalError\)?:? ?(?P<error>unable to open database file|attempt to write a readonly database|"
        r"disk I/O error)|django\.db\.utils\.OperationalError: (?P<other>unable to open database file|"
        r"attempt to write a readonly database)",
        "SQLite cannot write its database: the container's file system is read-only, or the file's folder is missing",
        "Keep the database below /tmp (it is lost with the container), use a database server, or set "
        "`read_only = false` in [app] of mldeploy.toml.",
    ),
    Sign(
        r"OperationalError\)?:? ?database is locked",
        "several processes write to one SQLite database at once",
        "Set `workers = 1` in [app] of mldeploy.toml, or use a database server.",
    ),
    Sign(
        r"no such table: (?P<table>[\w.]+)",
        "the database has no table {table}: it is empty, or its migrations have not run",
        "Put the database into the image, or create its tables when the app starts.",
    ),
    Sign(
        r"cannot cache function .*no locator available",
        "Numba cannot write its cache: the container's file system is read-only",
        'Set `NUMBA_CACHE_DIR = "/tmp"` in [app.env] of mldeploy.toml.',
    ),
    Sign(
        r"(?:TemplateNotFound|TemplateDoesNotExist): (?P<file>\S+)",
        "the template {file} is not in the image",
        "Check that .dockerignore does not exclude the folder of the templates, and that it is beside the app's file.",
    ),
    Sign(
        r"Directory '(?P<file>[^']+)' does not exist",
        "the app serves the folder {file}, which is not in the image",
        "Check that the app's folder has it (Git keeps no empty one), and that .dockerignore does not exclude it.",
    ),
    Sign(
        r"No such file or directory: '(?P<file>[^']+)'",
        "the app opens {file}, which is not in the image",
        _EXCLUDED,
    ),
    Sign(
        r"(?:unable to open file.*name = '(?P<file>[^']+)', errno = 2|"
        r"File not found: filepath=(?P<second>\S+?)\.?(?:\s|$)|"
        r"SavedModel file does not exist at: (?P<third>\S+)|Load model (?:from )?(?P<fourth>\S+) failed.*doesn't exist|"
        r"Could not open (?P<fifth>[\w./-]+\.\w+))",
        "the app opens {file}, which is not in the image",
        _EXCLUDED,
    ),
    Sign(
        r"\[Errno 30\] Read-only file system: '(?P<file>[^']+)'",
        "the app writes to {file}, and the container's file system is read-only",
        _WRITE,
    ),
    Sign(r"Read-only file system", "the app writes to the container's file system, which is read-only", _WRITE),
    Sign(
        r"\[Errno 13\] Permission denied: '(?P<file>[^']*\.cache[^']*|/nonexistent[^']*|/root[^']*)'",
        "the app may not use {file}, where a library keeps its downloads",
        'Set the library\'s folder to one below /tmp in [app.env] of mldeploy.toml, such as `HF_HOME = "/tmp/hf"` or '
        '`MPLCONFIGDIR = "/tmp"`, or put the files into the image.',
    ),
    Sign(
        r"\[Errno 13\] Permission denied: '(?P<file>[^']+)'",
        "the app may not use {file}",
        "It does not run as root: write below /tmp, and make the files of the image readable for everybody.",
    ),
    Sign(r"No space left on device", "the disk is full", "Free some: `docker system df` shows what uses the space."),
)
