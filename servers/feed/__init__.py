"""The one source of messages: what they are, when they are due, and who keeps them."""
