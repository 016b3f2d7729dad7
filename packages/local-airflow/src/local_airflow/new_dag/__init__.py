"""`make new-dag`: a pipeline in the house style, with its test and its entry in the docs."""
