"""What Baton's processes count and measure, for Prometheus: `series` has all of it, `docs/runbooks/monitoring.md` what
it means. Recording costs microseconds and never waits; whatever else a figure needs is fetched now and then, never
because somebody looks."""
