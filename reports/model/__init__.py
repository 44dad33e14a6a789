"""What a pattern costs and how late it is, fitted on finished runs, for loads that were not measured.

Every figure comes with an interval that was checked against loads left out of the fit, and beyond what was measured
nothing is said unless asked for.
"""
