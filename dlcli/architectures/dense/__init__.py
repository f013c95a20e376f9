"""Dense networks: every number is connected to every unit."""
