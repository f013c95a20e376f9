"""What may be wrong with data: one file, one check."""
