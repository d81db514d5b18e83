"""How a model is trained, recorded and judged. See README.md, "Where things are"."""

__version__ = "0.1.0"
