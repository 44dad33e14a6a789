"""How fast the servers are, beside plain peers in the same run: for `make bench`."""
