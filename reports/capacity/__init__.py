"""How much a server holds: loads tried in turn, each judged by the goals, and the limit with what is known of it.

Measures nothing itself: `reports/commands/capacity.py` has the rungs measured, and asks here which is next.
"""
