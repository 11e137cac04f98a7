"""Which choices of neural capacitance work: stored runs, read again under every choice."""
