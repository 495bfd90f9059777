"""What `make bench` runs: figures of the night's check, each a ratio measured side by side."""
