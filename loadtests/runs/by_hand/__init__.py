"""Tests that a person drives, made into runs like any other: what their server costs, and how they end."""
