"""One module for each kind of measurement; `every.ROWS` has them all."""
