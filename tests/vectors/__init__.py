"""Facts written down once and read by every implementation of the same thing. README.md tells the format."""
