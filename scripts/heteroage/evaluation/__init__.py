"""How good a clock is on studies that it has not seen, and attempts to prove that wrong."""
