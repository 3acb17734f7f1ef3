"""What the parts of the gateway require of each other, as Protocols."""
