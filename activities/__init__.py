"""What workflows call: decode a reference, work with the store and the agents, encode an outcome."""
