"""Signs of servers and programs that do not start."""

from __future__ import annotations

from mldeploy.app.signs.sign import About, Sign

_LINE_ENDS = (
    "Correct CMD or ENTRYPOINT in the Dockerfile; a script needs `#!/bin/sh` in its first line and no Windows line "
    "endings (`dos2unix`)."
)
_ENTRY = "Correct `entry` in [app] of mldeploy.toml: the module, a colon, the name of the app object."

PROGRAM = (
    Sign(
        r"(?:env|/usr/bin/env): .?'?.?(?P<program>[\w./-]+)\\r|bad interpreter: (?P<other>\S+)|"
        r"\$'\\r': command not found",
        "a start script has Windows line endings, or names an interpreter that is not in the image",
        _LINE_ENDS,
    ),
    Sign(
        # Inits use execvp(3), which hands what the kernel cannot run to a shell; that complains of its first bytes.
        r"(?i)exec format error|cannot execute binary file|\x7fELF",
        "the program is built for another processor than this machine's",
        "Set `platform` in [build] of mldeploy.toml to this machine's, or remove it.",
    ),
    Sign(
        r"exec user process caused:? .*no such file or directory",
        "the start program, or the interpreter that its first line names, is not in the image",
        _LINE_ENDS,
    ),
    Sign(
        r"exec user process caused:? .*permission denied",
        "the start program is not executable",
        "Make it so before the image is built: `chmod +x`.",
    ),
    Sign(
        r'exec:? "?(?P<program>[^"\s:]+\.sh)"?(?: failed)?: (?i:(?:stat .*: )?no such file)',
        "the program {program}, or the interpreter that its first line names, is not in the image",
        _LINE_ENDS,
    ),
    Sign(
        r'exec:? "?(?P<program>[^"\s:]+)"?(?: failed)?: (?i:executable file not found|(?:stat .*: )?no such file)',
        "the program {program}, or the interpreter that its first line names, is not in the image",
        "If a package provides it, add it to {requirements}; otherwise correct CMD or ENTRYPOINT in the Dockerfile.",
    ),
    Sign(
        r'exec:? "?(?P<program>[^"\s:]+)"?(?: failed)?: (?i:permission denied)',
        "the program {program} is not executable",
        "Make it so before the image is built: `chmod +x`.",
    ),
    Sign(
        r"(?:^|/)(?:ba|da|a)?sh: (?:line )?(?:\d+: )?(?P<program>[\w./+-]+): (?:command )?not found",
        "the program {program} is not in the image",
        "If a package provides it, add it to {requirements}; otherwise correct CMD or ENTRYPOINT in the Dockerfile.",
    ),
    Sign(
        r"unable to find user (?P<user>[^:\s]+)",
        "the image has no user {user}",
        "Create it in the Dockerfile before USER.",
    ),
    Sign(
        r"(?:Operation not permitted|chown failed|setgid|setgroups|initgroups).*",
        "the program needs a privilege of root, and the container has none",
        "Run the program as an ordinary user: end the Dockerfile with USER.",
    ),
    Sign(
        r"Invalid value for '(?P<option>--?[\w-]+)'(?: / '[^']+')?: '(?P<variable>\$\{?\w+\}?)' is not a valid|"
        r"(?P<other>'\$\{?PORT\}?') is not a valid port number",
        "the server gets the name of a variable instead of its value: nothing expands $ in a command of words",
        'Write the command as a text, or as `["sh", "-c", "exec …"]`, so that a shell reads it.',
    ),
    Sign(
        r"(?i)^(?:Error: )?(?P<error>No such option:? \S+|Got unexpected extra arguments? .+|No such command .+)",
        "the start command is wrong: {error}",
        "Correct the command: `command` in [app] of mldeploy.toml, or CMD in the Dockerfile.",
    ),
    Sign(
        r"Illegal instruction",
        "a library uses instructions that this processor does not have",
        "Install a build of it for older processors, or run the container on another machine.",
    ),
    Sign(
        r"(?P<program>[\w.-]+): error: (?P<error>unrecognized arguments: .*|"
        r"the following arguments are required: .*|argument .*|ambiguous option: .*)",
        "the app reads the command line while it is imported, and gets the server's arguments",
        'Call `parse_args()` below `if __name__ == "__main__":`, and take settings from environment variables. If the '
        "message is about the server's own options, correct the command.",
    ),
)

SERVER = (
    Sign(
        r"(?:Can't connect to|connection to) (?P<socket>/\S+)",
        "the server listens on the Unix socket {socket}, which no port leads to",
        "Let it listen on 0.0.0.0 and the port that the variable PORT holds: remove `bind` or `--uds`.",
        About.PORT,
    ),
    Sign(
        r"(?i)(?:listening at|running on|serving on):? (?:https?://)?unix(?::| socket )(?P<socket>\S+)",
        "the server listens on the Unix socket {socket}, which no port leads to",
        "Let it listen on 0.0.0.0 and the port that the variable PORT holds: remove `bind` or `--uds`.",
        About.PORT,
    ),
    Sign(
        r"Address already in use|Errno 98\]|in use: \('|Cannot find empty port in range",
        "the server's address is already in use inside the container",
        "Start only one server in the container.",
    ),
    Sign(
        r"(?i)Errno 99\]|Cannot assign requested address|"
        r"error while attempting to bind on address(?!.*permission denied)|Invalid address: \(",
        "the server listens on an address that the container does not have",
        "Let it listen on 0.0.0.0, and check that a service which it calls is not at `localhost`.",
        About.PORT,
    ),
    Sign(
        r"(?:bind\(\) to \S+:(?P<port>\d+) failed|attempt to bind.*:(?P<other>\d+)|"
        r"bind on address \([^)]*\)).*[Pp]ermission denied|"
        r"(?:Can't connect to|Permission denied:) \('[^']*', (?P<third>\d{1,3})\)",
        "the server may not listen on its port: below 1024 that needs a privilege of root",
        "Choose a port from 1024 on: `port` in [app] of mldeploy.toml, and the same in the server's command.",
        About.PORT,
    ),
    Sign(
        r"PermissionError: \[Errno 13\] Permission denied$",
        "something is forbidden that the app does: a file that only root may use, or a port below 1024",
        "It does not run as root: write below /tmp, and choose a `port` from 1024 on.",
    ),
    Sign(
        r"Failed to find attribute '(?P<name>\w+)' in '(?P<module>[\w.]+)'",
        "the module {module} has no object {name}",
        "Correct `entry` in [app] of mldeploy.toml: the module, a colon, the name of the Flask object.",
    ),
    Sign(
        r'Error loading ASGI app\. (?:Attribute "(?P<name>[^"]+)" not found in|Could not import) '
        r'module "(?P<module>[^"]+)"',
        "the server cannot load the app: the module {module} or its object is not there",
        _ENTRY,
    ),
    Sign(
        r"Could not locate a Flask application|Failed to find Flask application|Failed to parse '.+' as an attribute|"
        r"Application object must be callable|Invalid value: File does not exist: (?P<file>\S+)",
        "the server cannot load the app: what the command names is not there",
        _ENTRY,
    ),
    Sign(
        r"__call__\(\) missing 1 required positional argument: 'send'",
        "the app is ASGI (such as FastAPI), and a WSGI server serves it",
        'Set `interface = "asgi"` in [app] of mldeploy.toml, or let the command use uvicorn.',
    ),
    Sign(
        r"__call__\(\) (?:missing 1 required positional argument: 'start_response'|"
        r"takes 3 positional arguments but 4 were given)",
        "the app is WSGI (such as Flask), and an ASGI server serves it",
        'Set `interface = "wsgi"` in [app] of mldeploy.toml, or let the command use gunicorn.',
    ),
    Sign(
        r"(?:Invalid HTTP_HOST header|DisallowedHost)",
        "Django refuses the host name of the request: ALLOWED_HOSTS does not contain it",
        "Take ALLOWED_HOSTS from the environment, and let it contain localhost, 127.0.0.1 and the public host name.",
        About.HEALTH,
    ),
    Sign(
        r"When localhost is not accessible, a shareable link must be created",
        "Gradio cannot reach its own page, since a proxy is set",
        'Set `NO_PROXY = "localhost,127.0.0.1"` in [app.env], and let `launch()` listen on 0.0.0.0.',
    ),
    Sign(
        r"Worker \(pid:\d+\) was sent SIGKILL! Perhaps out of memory\?|MemoryError|std::bad_alloc|"
        r"DefaultCPUAllocator: (?:can't allocate|not enough) memory|Cannot allocate memory",
        "the app ran out of memory",
        "Raise `memory` in [app] of mldeploy.toml, or lower `workers`.",
        About.MEMORY,
    ),
    Sign(
        r"out of shared memory|unable to open shared memory|killed by signal: Bus error",
        "the app ran out of shared memory (/dev/shm)",
        "Load data in the process itself: `num_workers=0` in the DataLoader.",
        About.MEMORY,
    ),
    Sign(
        r"can't start new thread|Resource temporarily unavailable|Too many open files",
        "the app starts more threads, processes or files than the container may have",
        'Limit the threads of its libraries: `OMP_NUM_THREADS = "1"` in [app.env], fewer `workers` and `threads`.',
    ),
    Sign(
        r"\[WinError \d+\]",
        "the message is one of Windows, which no library for Linux prints: the log, or a file in the image, is of "
        "another system",
        "Install the packages for Linux: remove copied packages and DLLs from the folder, and list them in "
        "{requirements}.",
    ),
)
