"""PURE. What arithmetic says a pattern must show, beside what it showed."""
