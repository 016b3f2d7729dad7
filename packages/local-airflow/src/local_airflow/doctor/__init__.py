"""
`make doctor`: what is wrong, and what to do about it. Changes nothing.

Each module here examines one part and gives `Finding`s; `report` shows them.
"""
