"""What the commands do: wire the rooms, run a verb, hand the result to `ui`."""
