"""Placeholder until the entries land."""

ACTIVATIONS = dict.fromkeys(("relu", "silu", "gelu", "tanh", "leaky_relu", "elu", "sigmoid"))
