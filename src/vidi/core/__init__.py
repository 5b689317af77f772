"""What everything else is made of: samples, batches, the contracts of nets, tasks and augmentations, recipes, safe files."""
