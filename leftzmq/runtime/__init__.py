"""The running agent: builds all parts and runs them in one thread."""
