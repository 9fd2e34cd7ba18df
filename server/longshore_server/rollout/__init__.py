"""Rollouts: a level-triggered controller, not a script. Look at the rows, do the next step, look again."""
