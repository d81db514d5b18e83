"""Runs -> records."""
