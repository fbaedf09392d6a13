"""The command line. Heavy imports are inside functions, so that `--help` is fast."""

import gc
import os

# Imports create many objects and free few: the default threshold would add a tenth to the time of `--help`.
gc.set_threshold(1_000_000)

# Pydantic would search every installed distribution for plugins; our settings need none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
