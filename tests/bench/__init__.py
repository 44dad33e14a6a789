"""How fast the suite itself is, beside plain peers in the same run: for its maintainers, with `make bench`.

Each module is a program of its own; `--json` prints its figures as one object. A wheel has none of this.
"""
