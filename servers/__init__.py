"""What is sent: one feed of messages, and one small reference server per update-delivery pattern."""
