"""The console: pages by Jinja2 over the same API that every client uses."""
