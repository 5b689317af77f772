"""Training the small denoiser that a model may carry in front of its first layer, and measuring it."""
