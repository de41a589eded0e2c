"""The user's mistakes, told as one sentence that names the thing and what would be right."""


class UserError(Exception):
    """Wrong usage or bad input: the command line prints it and exits with 2."""
