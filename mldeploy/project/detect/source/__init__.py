"""Python source, parsed and evaluated, never imported or run: its calls, files and variables."""
