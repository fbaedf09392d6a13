"""Azure Resource Manager, as far as a deployment speaks to it: what it holds, and what it accepts."""
