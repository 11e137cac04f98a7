"""Where images come from: folders, archives, arrays, TFDS, Python objects; all of them streams."""
