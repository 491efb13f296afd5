"""Data sets, binary networks, their training and export, and the junction models.

Nothing is imported here: ``model.mtj`` must load on a board without torch.
"""
