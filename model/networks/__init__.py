"""The networks in Brevitas: wholly binary, in fixed point, and binary between layers of floats.

``graph`` describes them, ``build`` makes them; what they have in common is in ``base``. The trained
ones, by name, are in ``spinflow.model.zoo``.
"""
