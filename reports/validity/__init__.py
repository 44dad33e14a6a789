"""PURE. Whether to believe a run: checks, cautions, and the evidence behind the verdict."""
