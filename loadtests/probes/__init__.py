"""What experiments measure with beside whole cells: small clients on asyncio, and servers in odd company.

Nothing here is imported by a process that drives Locust users: gevent and asyncio never meet.
"""
