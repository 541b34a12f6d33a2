"""The command lines: parse, call, print. Must not decide anything."""
