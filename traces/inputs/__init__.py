"""What requests say where no trace says it: synthetic prompts, files of prompts, datasets, images.

Everything here ends in a list of Content, which no API has given a form yet. Importing this package costs nothing.
"""
