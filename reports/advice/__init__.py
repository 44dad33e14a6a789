"""Which pattern for so many clients, so many messages and this goal, what it costs, and when to move on."""
