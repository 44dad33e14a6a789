"""The race: one page where real browser clients of all patterns receive the same feed side by side."""
