"""One module per command, or per few related commands: options, help, the call, the result and its `--json` document.

A module is loaded only for its command, and everything heavy is imported inside functions: `--help` needs no SDK. The
docstring of a command is its help and its entry in the manual; its last paragraph holds the examples.
"""
