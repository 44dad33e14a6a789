"""What is kept of a cell instead of its rows (--keep summary): counts, sums and histograms, made as the rows come."""
