"""How what general ability is measured on was made by rule."""
