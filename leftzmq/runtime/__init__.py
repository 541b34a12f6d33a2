"""The running agent: everything is built here, and one thread drives it."""
