"""compare and scale: does depth pay, does more data pay, is one run better than another."""
