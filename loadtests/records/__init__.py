"""What is written to disk: the rows, who records them, and the files that describe a run."""
