"""The page to look and play with: what it is told (typed facts, as JSON), and the files that draw it (assets/)."""
