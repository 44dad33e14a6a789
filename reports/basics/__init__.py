"""What every room uses: units, statistics, exit codes, JUnit, templates."""
