"""Terminal output: events become a live display or plain lines, results become text or one JSON document."""
