"""What it means: a run folder becomes tidy frames, measures, cautions, charts and one offline page."""
