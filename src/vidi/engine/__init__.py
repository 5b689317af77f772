"""The one training and inference loop: devices, precision, checkpoints."""
