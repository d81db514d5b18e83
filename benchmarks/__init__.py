"""How fast the explorer is, beside stock tinygrad and PyTorch on the same machine in the same session."""
