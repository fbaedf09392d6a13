"""What the app needs installed: a reader for each kind of list, and the choice of the one that counts."""
