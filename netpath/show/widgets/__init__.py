"""The book's widgets: each a JavaScript module, its data computed by netpath, and a still frame beside it.

They answer in the published page without a kernel; each has an `explore` that takes any world where a kernel is.

Not modelled: anything; what they show is the model's.
"""
