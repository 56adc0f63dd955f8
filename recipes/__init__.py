"""How the weights that ship were made, one package each; nothing here is installed."""
