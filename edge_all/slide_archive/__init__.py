"""A hospital's archive, screened slide by slide by as many processes as there are."""
