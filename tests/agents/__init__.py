"""Real agents as processes of their own, on ports of 127.0.0.1."""
