"""What is trained: one file a model, each a list of layers."""
