"""A package, so that the names of its modules do not collide with those of other folders' tests."""
