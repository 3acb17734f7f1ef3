"""What the HTTP API may call: queries, claims, acknowledgement, sessions, live feed.

Every method that shows or changes something takes the ``Viewer`` who asks and denies by
default, so that a route cannot forget to.
"""
