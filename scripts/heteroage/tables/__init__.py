"""Reading of tables, for training and for prediction: file format, layout, names, values, metadata."""
