"""The commands, a file for each group of them; ``program`` imports the one that is called."""
