"""The user's folder: what it holds, what is missing, and the known answer that a new version must give."""
