"""The command line: parse, wire, render. Heavy imports stand inside the commands' bodies: `--help` waits for none."""

import gc
import os

# Importing makes much and drops little: collecting as often as usual costs a tenth of the time of `--help`.
gc.set_threshold(1_000_000)

# Pydantic would look through every installed distribution for plugins, of which our settings have no need.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
