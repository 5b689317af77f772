"""Steps that make pictures easier to see, one per file; they sit in a net's first layer and travel with the model."""
