"""Layers that are written as in the book, and so derive from no class of this package.

`form` tells what `forward` takes, `attributes` which attributes are parameters and state, from `class_code`;
`node` is the node around such an object, and `draws` returns it to earlier random draws.
"""
