"""The face of every command: its flags, and in its docstring its text in `--help` and in the manual.

The work is done in `mldeploy.cli.work`, which is loaded only once the command is known: `--help` waits for no SDK.
"""
