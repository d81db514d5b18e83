"""What a run may choose by name and every floor must know of: optimizers and schedules, one entry each."""
