"""One optimisation, as a stream of events."""
