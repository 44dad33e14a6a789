"""What Locust is told: its hooks, its form, its page, and the load process watching itself."""
