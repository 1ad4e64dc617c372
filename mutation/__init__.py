"""Mutation testing: does a test fail, for each small change of the code that decides?"""
