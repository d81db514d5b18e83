"""Verdicts -> words, tables, pictures, REPORT.md."""
