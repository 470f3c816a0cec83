"""One module a command: ``HELP``, ``EPILOG``, ``add_arguments(parser)``, ``run(args) -> exit code``."""
