"""The running app: its HTTP client, its containers on an engine, their examination, and the diagnosis of failures."""
