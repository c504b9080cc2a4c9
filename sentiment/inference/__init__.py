"""A trained model in use: its bundle, predictions, explanations."""
