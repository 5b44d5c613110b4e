"""What is shown of weights and of training runs: text for terminals, one HTML page."""
