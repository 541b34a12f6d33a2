"""How times, columns, events and colours are printed. Must not know how an agent is asked."""
