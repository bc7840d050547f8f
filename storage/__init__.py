"""The floor that remembers: the job database and the outputs. It imports neither `actors` nor
`farm`.
"""
