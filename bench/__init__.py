"""`make bench`: how fast Foyer is, on its real processes, beside what the bare machine can do.

One module in `bench/rows` per row. Each makes its data, starts the processes it needs, puts them under load and returns
figures. The frame prints them with their targets and with the ratio to a bare PostgreSQL measured in the same minute,
since a ratio travels between machines and a figure does not.
"""
