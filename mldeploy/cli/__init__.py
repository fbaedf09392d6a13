"""The command line: parse, wire, render. Heavy imports stand inside the commands' bodies: `--help` waits for none."""

import gc

# Importing makes much and drops little: collecting as often as usual costs a tenth of the time of `--help`.
gc.set_threshold(1_000_000)
