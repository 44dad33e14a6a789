"""Runs that are kept: listed, and one measure followed from run to run."""
