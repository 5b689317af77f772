"""What steps in front of a model do to its score, clean and under stress."""
