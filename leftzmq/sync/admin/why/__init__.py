"""Why a path is not the same everywhere, and what would happen now. Only reads: it changes
nothing."""
