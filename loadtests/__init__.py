"""What arrives: Locust users that read their own sockets, and the recorder of what they saw."""
