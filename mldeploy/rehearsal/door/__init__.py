"""The front door of any stand-in: calls are written down, meet the fault ordered for them, and can be asked for."""
