"""One file for each practice: what is done in each arm, and what is observed."""
