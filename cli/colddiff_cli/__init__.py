"""The command `colddiff`: one module per subcommand, heavy imports where they are used."""
