"""Judgements for a CI job: goals met or missed, and two runs compared."""
