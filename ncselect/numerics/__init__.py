"""Arrays in, arrays out: the mathematics, each result in a file of its own."""
