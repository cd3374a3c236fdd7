"""Where the time goes on this machine, beside what the hardware allows.

Nothing is imported here: the first thing that is measured is a process in which nothing has been imported yet.
"""
