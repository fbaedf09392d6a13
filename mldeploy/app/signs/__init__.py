"""Log lines that reveal a cause, one file per subject. To add a cause, add an entry to a table."""
