"""`python -m colddiff_cli`, for where the script is not on the path."""

from colddiff_cli.main import main

main()
