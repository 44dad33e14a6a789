"""One file for each practice: what is varied, what is observed, what is expected."""
