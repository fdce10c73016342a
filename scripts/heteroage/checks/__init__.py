"""What a person should look at before training: the audit."""
