"""The rows, one module each; `ROW` is what the frame looks for."""
