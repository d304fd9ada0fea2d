"""Tasks: data to learn from and to be judged on. One file per named data set or kind of own data.

`files` names the data of a task that comes with the package; other data are named in the study.
"""
