"""Contents of requests without a trace: synthetic prompts, files of prompts, datasets, images.

Everything here ends in a list of Content, which no API has given a form yet. Importing this package costs nothing.
"""
