"""What can be ranked, and on what: pre-trained networks, the probe unit, datasets."""
