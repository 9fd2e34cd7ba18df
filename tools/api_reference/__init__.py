"""The API reference: pages in Markdown that are made of the ``.proto`` files and their comments alone."""
