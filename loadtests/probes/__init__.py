"""Small clients of experiments that ask one narrow question of a server, where a crowd of users would only blur it."""
