"""The tuner is an experimenter: evidence, one action, a verdict, and undo where it did not help.

Read in this order: evidence (what is known), causes (what is wrong, and for how long), remedies and
candidates (what could be done), conflicts (what must not be), experiment (was it any good), step (one tick).
"""
