"""Model files made to do harm, built when tests run: each is a few bytes written by hand, and none runs anything."""
