"""Sentences that people repeat, put to the test: each is a file of data, and what decides it was written down before.

A folder of claims holds runs.toml, what is measured for all of them, and a file for each claim. The guide's own are in
guide/.
"""
