"""The life of a run: a plan of jobs, a session in which they are executed, cells and a record."""
