"""Configuration: what stands in the files (raw), and what a run works with (resolved and frozen)."""
