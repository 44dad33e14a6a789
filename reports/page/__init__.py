"""A run as a page, a table, a sentence: everything a person reads of one run."""
