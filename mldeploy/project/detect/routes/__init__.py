"""The routes of an app as its source declares them: paths, prefixes, and what the handlers read."""
