"""The floor that paints: recipes, pipelines kept warm, and the Ray actors around them. It imports
`storage`, never `farm`.
"""
