"""One run: from a Config and a data set to figures."""
