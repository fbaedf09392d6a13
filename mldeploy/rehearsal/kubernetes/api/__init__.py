"""The API server: what is asked, what is written, what is watched, and what goes through it into a Pod."""
