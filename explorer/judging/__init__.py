"""Records -> verdicts. No prose, no drawing."""
