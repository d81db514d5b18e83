"""A question -> runs."""
