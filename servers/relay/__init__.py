"""A network between users and server, in user space: bytes go through unchanged, later. See relay.py for the model."""
