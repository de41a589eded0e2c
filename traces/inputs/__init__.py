"""Contents of requests without a trace: synthetic prompts, files of prompts, datasets, images.

Every module returns a list of Content, which is independent of APIs. Importing this package loads no other modules.
"""
