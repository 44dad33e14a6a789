"""Two clocks: how far apart they are, as an interval with a proof (docs/clocks.md), and how another host is asked."""
