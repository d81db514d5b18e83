"""How weights move: update rules and learning-rate schedules, one entry each. Light to import."""
