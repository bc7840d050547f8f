"""The farm's own web pages: HTML over the same services that the API has, and a few scripts that
speak to the API. Nothing here decides, and nothing here can be done in another way than there.
"""
