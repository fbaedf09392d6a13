"""From a trained model in a folder to a public URL that answers predictions."""

__version__ = "0.1.0"
