"""The page in a real browser, before real agents."""
