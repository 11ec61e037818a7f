"""Adoption: an existing table becomes the first version of a collection, in place.

Modules::

    in_place    the steps, and the way back
"""
