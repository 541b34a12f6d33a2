"""The tests of leftzmq: rings from pure values to real agents (CONTRIBUTING.md)."""
