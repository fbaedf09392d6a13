"""What the rooms return, as the documents that `ui` shows: a file for each file of `ui.documents`."""
