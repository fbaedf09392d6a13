"""Model files and notebooks: what they say of themselves without being loaded, and how the source loads them."""
