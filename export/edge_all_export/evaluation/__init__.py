"""How good are these probabilities? Figures, intervals, plots and reports, whatever network they come from.

`predictions` is the one form that enters: a Keras model, a model package and a CSV file from elsewhere are judged by
the same code. `judging` makes predictions, `assessment` turns them into figures, `comparison` sets two side by side,
`report` writes JSON, HTML and plots.
"""
