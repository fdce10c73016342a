"""The sealed artifact folder, and what is done with one: started fast, nothing unpickled."""
