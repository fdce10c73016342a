"""Reading, checking and applying a sealed artifact folder. Nothing is unpickled, and imports are kept fast."""
