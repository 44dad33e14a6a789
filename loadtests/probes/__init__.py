"""What experiments measure with beside whole cells: small clients, and servers in odd company."""
