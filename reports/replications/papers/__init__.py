"""One file for each published experiment: what was done, what was claimed, and how it is run again here."""
